"""Norms that see a whole picture while the network sees a part of it.

A norm that takes its mean and variance from the picture at hand gives each tile another answer,
which shows as a patchwork. Here a number of tiles go through the network in step, layer by layer;
each norm pools its statistics over their cores and keeps them; then any tile can run alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn

from translate.inference.tiles import Span
from translate.networks.blocks import Statistics, picture_norms

Core = tuple[Span, Span]

PLASTIC = 1.3247179572447460  # the root of x^3 = x + 1, for two dimensions what the golden ratio is for one


@contextmanager
def shared_statistics(network: nn.Module, windows: Sequence[Tensor], cores: Sequence[Core]) -> Iterator[None]:
    """Within this context a network's norms use the statistics that they have over all windows together.

    Args:
        windows: (1, C, h, w) each; they may be read lazily.
        cores: which part of each window counts: its rows and columns.
    """
    norms = picture_norms(network)
    try:
        known = pooled_statistics(network, windows, cores) if norms else {}
        for norm in norms:
            norm.statistics_of = lambda module, _: known[module]
        yield
    finally:
        for norm in norms:
            norm.statistics_of = None


def pooled_statistics(
    network: nn.Module, windows: Sequence[Tensor], cores: Sequence[Core]
) -> dict[nn.Module, Statistics]:
    """Mean and variance, (C,) float32 each, of every norm's input over the cores of all windows.

    The windows advance together, one layer at a time, so that only one layer's maps are held for
    each, and the work space of a convolution for one of them.
    """
    norms = picture_norms(network)
    named = {name: module for module in norms for name, other in network.named_modules() if other is module}
    graph = fx.GraphModule(network, _Tracer(norms).trace(network))
    runs = [_Run(graph, window) for window in windows]
    known: dict[nn.Module, Statistics] = {}
    for node in graph.graph.nodes:
        norm = named.get(node.target) if node.op == "call_module" else None
        if norm is not None:
            known[norm] = _pool([run.env[node.args[0]] for run in runs], cores)
            norm.statistics_of = lambda module, _: known[module]
        for run in runs:
            run.advance(node)
        if len(known) == len(norms):
            break
    return known


class _Run(fx.Interpreter):
    """One window on its way through the network, node by node."""

    def __init__(self, graph: fx.GraphModule, window: Tensor) -> None:
        super().__init__(graph)
        self.args_iter: Iterator[Any] = iter([window])

    def advance(self, node: fx.Node) -> None:
        self.env[node] = self.run_node(node)
        for gone in self.user_to_last_uses.get(node, []):
            del self.env[gone]


class _Tracer(fx.Tracer):
    """Takes the norms as they are, instead of looking into them."""

    def __init__(self, norms: Sequence[nn.Module]) -> None:
        super().__init__()
        self.norms = norms

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self.norms or super().is_leaf_module(m, module_qualified_name)


def _pool(maps: Sequence[Tensor], cores: Sequence[Core]) -> Statistics:
    """The statistics of (1, C, h, w) maps, each the window at one layer's resolution, over their cores."""
    parts = [
        window[0, :, _scaled(rows, window.shape[2]), _scaled(columns, window.shape[3])].flatten(1)
        for window, (rows, columns) in zip(maps, cores, strict=True)
    ]
    count = sum(part.shape[1] for part in parts)
    mean = torch.stack([part.float().sum(1) for part in parts]).sum(0) / count
    squares = [(part.float() - mean[:, None]).square().sum(1) for part in parts]
    return mean, torch.stack(squares).sum(0) / count


def _scaled(span: Span, size: int) -> slice:
    """The core within a window that is `size` long at this layer."""
    factor = size / (span.stop - span.start)
    start = int((span.core_start - span.start) * factor)
    return slice(start, max(round((span.core_stop - span.start) * factor), start + 1))


def spread(rows: list[Span], columns: list[Span], most: int) -> list[Core]:
    """At most `most` windows, strewn evenly over the picture; all of them if they are so few.

    From the middle on in the order of a low-discrepancy sequence: a grid would leave out whole rows
    of windows, and sky and ground are not alike.
    """
    cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    if len(cells) > most:
        middle, center = len(rows) // 2, len(columns) // 2
        cells.sort(key=lambda cell: ((cell[0] - middle) / PLASTIC + (cell[1] - center) / PLASTIC**2) % 1)
    return [(rows[row], columns[column]) for row, column in cells[:most]]
