"""Instance norm statistics over the whole image, for networks that are run tile by tile.

An instance norm (or a batch norm that uses the statistics of the image at hand) would give each tile its own
mean and variance, and the result would look like a patchwork. Here a number of tiles first go through the
network together, layer by layer; at each norm, mean and variance are pooled over the cores of these tiles.
Then any tile can be run by itself with the pooled statistics.

The statistics are passed to an interpreter. Nothing on the network changes, because other threads may be
running it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from translate.inference.predictors.tile_blending import Tile, Window
from translate.inference.runtime.tracing import trace_graph
from translate.networks.blocks import per_image_norms

Statistics = tuple[Tensor, Tensor]  # mean and variance, (C,) float32 each

PLASTIC_NUMBER = 1.3247179572447460  # The root of x^3 = x + 1, the golden ratio's counterpart in 2D.


def trace_norms(network: nn.Module) -> fx.Graph | None:
    """Trace a network with its norms as single nodes; return None if no norm uses per-image statistics."""
    norms = per_image_norms(network)
    return trace_graph(network, norms) if norms else None


def pool_statistics(
    network: nn.Module, graph: fx.Graph, inputs: Sequence[Tensor], tiles: Sequence[Tile]
) -> dict[str, Statistics]:
    """Pool mean and variance of each norm's input over the cores of several tiles; return them by norm.

    All tiles advance by one layer at a time: memory is one feature map for each tile, and the workspace of a
    convolution for one of them.

    Args:
        graph: the network's traced layers, from `trace_norms`.
        inputs: the network's input for each tile, (1, C, h, w).
        tiles: the tiles over whose cores the statistics are pooled.
    """
    norms = per_image_norms(network)
    names = {name for name, module in network.named_modules() if any(module is norm for norm in norms)}
    statistics: dict[str, Statistics] = {}
    runs = [_TileRun(network, graph, statistics, x) for x in inputs]
    for node in graph.nodes:
        if node.op == "call_module" and node.target in names:
            statistics[node.target] = _pool([run.env[node.args[0]] for run in runs], tiles)
        for run in runs:
            run.advance(node)
        if len(statistics) == len(names):
            break
    return statistics


class StatisticsInterpreter(fx.Interpreter):
    """An interpreter that runs a network's graph with fixed norm statistics; it serves one thread at a time.

    Args:
        graph: the network's traced layers, from `trace_norms`.
        statistics: the mean and variance of each norm, by the name of the norm.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, statistics: Mapping[str, Statistics]) -> None:
        super().__init__(network, graph=graph)
        self.statistics = statistics
        self.extra_traceback = False  # An error has the same message as when the network itself runs.

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a module; a norm whose statistics are fixed normalizes by them."""
        if target not in self.statistics:
            return super().call_module(target, args, kwargs)
        norm, (mean, variance) = self.submodules[target], self.statistics[target]
        return F.batch_norm(args[0], mean, variance, norm.weight, norm.bias, eps=norm.eps)


class _TileRun(StatisticsInterpreter):
    """The forward pass of one tile, run node by node."""

    def __init__(
        self, network: nn.Module, graph: fx.Graph, statistics: Mapping[str, Statistics], x: Tensor
    ) -> None:
        super().__init__(network, graph, statistics)
        self.args_iter: Iterator[Any] = iter([x])

    def advance(self, node: fx.Node) -> None:
        """Run one node, and release the feature maps that no later node needs."""
        self.env[node] = self.run_node(node)
        for used in self.user_to_last_uses.get(node, []):
            del self.env[used]


def _pool(maps: Sequence[Tensor], tiles: Sequence[Tile]) -> Statistics:
    """Return mean and variance over the cores of feature maps, (1, C, h, w), one for each tile."""
    cores = [
        x[0, :, _core_slice(rows, x.shape[2]), _core_slice(columns, x.shape[3])].flatten(1)
        for x, (rows, columns) in zip(maps, tiles, strict=True)
    ]
    count = sum(core.shape[1] for core in cores)
    mean = torch.stack([core.float().sum(1) for core in cores]).sum(0) / count
    squares = [(core.float() - mean[:, None]).square().sum(1) for core in cores]
    return mean, torch.stack(squares).sum(0) / count


def _core_slice(window: Window, size: int) -> slice:
    """Return the slice of a window's core in a feature map in which the window is `size` long."""
    scale = size / (window.stop - window.start)
    start = int((window.core_start - window.start) * scale)
    return slice(start, max(round((window.core_stop - window.start) * scale), start + 1))


def choose_statistics_tiles(rows: list[Window], columns: list[Window], max_count: int) -> list[Tile]:
    """Choose at most `max_count` tiles that are spread evenly over the image; all of them, if they are fewer.

    The order is that of a low-discrepancy sequence, from the middle of the image on. A regular grid would
    leave out whole rows of tiles, and sky and ground have different statistics.
    """
    cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    if len(cells) > max_count:
        middle, center = len(rows) // 2, len(columns) // 2
        cells.sort(
            key=lambda cell: (
                ((cell[0] - middle) / PLASTIC_NUMBER + (cell[1] - center) / PLASTIC_NUMBER**2) % 1
            )
        )
    return [(rows[row], columns[column]) for row, column in cells[:max_count]]
