"""Decide when and how large images are cut, and put them through a network tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn

from translate.images import Array, levels
from translate.inference.predictors.base import Progress
from translate.inference.predictors.canvas import Canvas
from translate.inference.predictors.statistics import Core, StatisticsInterpreter, pool_statistics, spread
from translate.inference.predictors.tiles import Span, blend, cut
from translate.inference.runtime.gate import running_network
from translate.networks import MemoryCost

REACH = 64  # how far around a tile a network looks, in pixels; rounded up to its multiple
LARGEST_CORE = 1024  # of a tile, in pixels: one row of tiles is held at once, as wide as the image
SAMPLE_CORE, SAMPLE_REACH = 96, 16  # of the small windows that stand for an image that does not fit


@dataclass(frozen=True)
class Tiling:
    """How a canvas is cut.

    Attributes:
        sample: the windows whose statistics stand for the whole image.
    """

    rows: list[Span]
    columns: list[Span]
    overlap: int
    sample: list[Core]


def plan_tiles(
    canvas: Canvas, tile: str | int, *, multiple: int, cost: MemoryCost, limits: tuple[float, float]
) -> Tiling | None:
    """Decide how to cut a canvas; None where it goes in one piece.

    Args:
        tile: `auto`, `off`, or the side of a tile's core in pixels.
        multiple: of which the network's sides must be, in pixels.
        cost: of the network.
        limits: what an image in one piece may take, and what tiles may, in bytes.
    """
    whole, tiled = limits
    if tile == "off" or (tile == "auto" and canvas.height * canvas.width * cost.forward <= whole):
        return None

    def round_up(side: int) -> int:
        return -(-side // multiple) * multiple

    overlap = round_up(REACH)
    largest = min(int((tiled / cost.forward) ** 0.5) - 2 * overlap, LARGEST_CORE)
    core = max(round_up(tile) if isinstance(tile, int) else largest // multiple * multiple, multiple)
    if core >= max(canvas.height, canvas.width):
        return None
    rows, columns = cut(canvas.height, core, overlap, multiple), cut(canvas.width, core, overlap, multiple)
    count = len(rows) * len(columns)
    if count * _area(rows, columns) * cost.held <= whole:
        return Tiling(rows, columns, overlap, spread(rows, columns, count))
    down, across = (
        cut(side, round_up(SAMPLE_CORE), round_up(SAMPLE_REACH), multiple)
        for side in (canvas.height, canvas.width)
    )
    most = max(1, int(tiled / (_area(down, across) * cost.held)))
    return Tiling(rows, columns, overlap, spread(down, across, most))


def _area(rows: list[Span], columns: list[Span]) -> int:
    """Return the pixels of a window."""
    return (rows[0].stop - rows[0].start) * (columns[0].stop - columns[0].start)


@dataclass(frozen=True)
class TiledNetwork:
    """A network that is to run on tiles.

    Attributes:
        network: on the device.
        graph: of its layers, by `trace_norms`, where its norms take an image's own statistics; else None.
        channels: of its output.
    """

    network: nn.Module
    graph: fx.Graph | None
    channels: int
    device: torch.device

    def window(self, canvas: Canvas, core: Core) -> Tensor:
        """Return a part of a canvas on the device, (1, C, h, w)."""
        return canvas.window(*core).to(self.device)

    def for_tiles_of(self, canvas: Canvas, tiling: Tiling) -> Callable[[Tensor], Tensor]:
        """Return the network with norms that take their statistics from the whole canvas."""
        if self.graph is None:
            return self.network
        windows = [self.window(canvas, core) for core in tiling.sample]
        with running_network():
            statistics = pool_statistics(self.network, self.graph, windows, tiling.sample)
        return StatisticsInterpreter(self.network, self.graph, statistics).run


def predict_tiled(canvas: Canvas, tiling: Tiling, network: TiledNetwork, progress: Progress) -> Array:
    """Apply a network to an image tile by tile.

    Returns:
        (H, W, channels) of the image's own kind of number.
    """
    kind = canvas.frame.pixels.dtype
    out = np.empty((*canvas.frame.pixels.shape[:2], network.channels), kind)
    run = network.for_tiles_of(canvas, tiling)

    def predict(row: Span, column: Span) -> Array:
        with running_network():
            answer = run(network.window(canvas, (row, column)))
        tile: Array = answer[0].permute(1, 2, 0).float().cpu().numpy()
        return tile

    def finish(top: int, values: Array) -> None:
        rows = levels(torch.from_numpy(values[: max(len(out) - top, 0), : out.shape[1]]), kind.type)
        out[top : top + len(rows)] = rows
        progress(min((top + len(rows)) / len(out), 1.0))

    blend((canvas.height, canvas.width), tiling.rows, tiling.columns, tiling.overlap, predict, finish)
    return out
