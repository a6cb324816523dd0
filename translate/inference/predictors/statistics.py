"""Let norms see a whole image while the network sees a part of it.

A norm that takes its mean and variance from the image at hand gives each tile another answer,
which shows as a patchwork. Here a number of tiles go through the network in step, layer by layer;
each norm's statistics are pooled over their cores; then any tile can run by itself with these statistics.
They are passed along: nothing on the network is changed, which other threads may be running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from translate.inference.predictors.tiles import Span
from translate.inference.runtime.tracing import trace_graph
from translate.networks.blocks import per_image_norms

Statistics = tuple[Tensor, Tensor]  # mean and variance, (C,) float32 each
Core = tuple[Span, Span]  # the rows and the columns of a window

PLASTIC = 1.3247179572447460  # the root of x^3 = x + 1, for two dimensions what the golden ratio is for one


def trace_norms(network: nn.Module) -> fx.Graph | None:
    """Trace a network, its norms as single nodes; None if no norm takes an image's own statistics."""
    norms = per_image_norms(network)
    return trace_graph(network, norms) if norms else None


def pool_statistics(
    network: nn.Module, graph: fx.Graph, windows: Sequence[Tensor], cores: Sequence[Core]
) -> dict[str, Statistics]:
    """Return the statistics of every norm's input over the cores of all windows, by the norm's name.

    The windows advance in step, one layer at a time, so that only one layer's maps are held for
    each, and the work space of a convolution for one of them.

    Args:
        graph: of the network, by `trace_norms`.
        windows: (1, C, h, w) each.
        cores: which part of each window counts: its rows and columns.
    """
    norms = per_image_norms(network)
    names = {name for name, module in network.named_modules() if any(module is norm for norm in norms)}
    known: dict[str, Statistics] = {}
    runs = [_WindowRun(network, graph, known, window) for window in windows]
    for node in graph.nodes:
        if node.op == "call_module" and node.target in names:
            known[node.target] = _pool([run.env[node.args[0]] for run in runs], cores)
        for run in runs:
            run.advance(node)
        if len(known) == len(names):
            break
    return known


class StatisticsInterpreter(fx.Interpreter):
    """Runs a network by its graph, the norms by given statistics, in one thread at a time.

    Args:
        graph: of the network, by `trace_norms`.
        statistics: by the name of the norm.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, statistics: Mapping[str, Statistics]) -> None:
        super().__init__(network, graph=graph)
        self.statistics = statistics
        self.extra_traceback = False  # errors are to be what they are where the network itself runs

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a module; a norm whose statistics are known normalises by them."""
        if target not in self.statistics:
            return super().call_module(target, args, kwargs)
        norm, (mean, variance) = self.submodules[target], self.statistics[target]
        return F.batch_norm(args[0], mean, variance, norm.weight, norm.bias, eps=norm.eps)


class _WindowRun(StatisticsInterpreter):
    """One window on its way through the network, node by node."""

    def __init__(
        self, network: nn.Module, graph: fx.Graph, statistics: Mapping[str, Statistics], window: Tensor
    ) -> None:
        super().__init__(network, graph, statistics)
        self.args_iter: Iterator[Any] = iter([window])

    def advance(self, node: fx.Node) -> None:
        """Run one node, and release what no later one needs."""
        self.env[node] = self.run_node(node)
        for used in self.user_to_last_uses.get(node, []):
            del self.env[used]


def _pool(maps: Sequence[Tensor], cores: Sequence[Core]) -> Statistics:
    """Return the statistics over the cores of (1, C, h, w) maps, each a window at one layer's resolution."""
    parts = [
        window[0, :, _scaled(rows, window.shape[2]), _scaled(columns, window.shape[3])].flatten(1)
        for window, (rows, columns) in zip(maps, cores, strict=True)
    ]
    count = sum(part.shape[1] for part in parts)
    mean = torch.stack([part.float().sum(1) for part in parts]).sum(0) / count
    squares = [(part.float() - mean[:, None]).square().sum(1) for part in parts]
    return mean, torch.stack(squares).sum(0) / count


def _scaled(span: Span, size: int) -> slice:
    """Return the core within a window that is `size` long at this layer."""
    factor = size / (span.stop - span.start)
    start = int((span.core_start - span.start) * factor)
    return slice(start, max(round((span.core_stop - span.start) * factor), start + 1))


def spread(rows: list[Span], columns: list[Span], most: int) -> list[Core]:
    """Choose at most `most` windows, spread evenly over the image; all of them if they are so few.

    From the middle on in the order of a low-discrepancy sequence: a grid would leave out whole rows
    of windows, and sky and ground are not alike.
    """
    cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    if len(cells) > most:
        middle, center = len(rows) // 2, len(columns) // 2
        cells.sort(key=lambda cell: ((cell[0] - middle) / PLASTIC + (cell[1] - center) / PLASTIC**2) % 1)
    return [(rows[row], columns[column]) for row, column in cells[:most]]
