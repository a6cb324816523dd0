"""Large pictures: when and how they are cut, and that the parts agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from translate.images import Array, levels
from translate.inference.canvas import Canvas
from translate.inference.memory import Cost
from translate.inference.statistics import shared_statistics, spread
from translate.inference.tiles import Span, blend, cut

REACH = 64  # how far around a tile a network looks, in pixels; rounded up to its multiple
LARGEST_CORE = 1024  # of a tile, in pixels: one row of tiles is held at once, as wide as the picture
SAMPLE_CORE, SAMPLE_REACH = 96, 16  # of the small windows that stand for a picture that does not fit


@dataclass(frozen=True)
class Tiling:
    """How a canvas is cut.

    Attributes:
        sample: the windows whose statistics stand for the whole picture.
    """

    rows: list[Span]
    columns: list[Span]
    overlap: int
    sample: list[tuple[Span, Span]]


def plan_tiles(
    canvas: Canvas, tile: str | int, *, multiple: int, cost: Cost, limits: tuple[float, float]
) -> Tiling | None:
    """How to cut a canvas; None where it goes in one piece.

    Args:
        tile: `auto`, `off`, or the side of a tile's core in pixels.
        multiple: of which the network's sides must be, in pixels.
        cost: what the network takes for each pixel.
        limits: what a picture in one piece may take, and what tiles may, in bytes.
    """
    whole, tiled = limits
    if tile == "off" or (tile == "auto" and canvas.height * canvas.width * cost.forward <= whole):
        return None

    def rounded(side: int) -> int:
        return -(-side // multiple) * multiple

    overlap = rounded(REACH)
    largest = min(int((tiled / cost.forward) ** 0.5) - 2 * overlap, LARGEST_CORE)
    core = max(rounded(tile) if isinstance(tile, int) else largest // multiple * multiple, multiple)
    if core >= max(canvas.height, canvas.width):
        return None
    rows, columns = cut(canvas.height, core, overlap, multiple), cut(canvas.width, core, overlap, multiple)
    count = len(rows) * len(columns)
    if count * _area(rows, columns) * cost.held <= whole:
        return Tiling(rows, columns, overlap, spread(rows, columns, count))
    down, across = (
        cut(side, rounded(SAMPLE_CORE), rounded(SAMPLE_REACH), multiple)
        for side in (canvas.height, canvas.width)
    )
    most = max(1, int(tiled / (_area(down, across) * cost.held)))
    return Tiling(rows, columns, overlap, spread(down, across, most))


def _area(rows: list[Span], columns: list[Span]) -> int:
    """Pixels of a window."""
    return (rows[0].stop - rows[0].start) * (columns[0].stop - columns[0].start)


def translate_tiled(
    canvas: Canvas,
    tiling: Tiling,
    network: nn.Module,
    channels: int,
    device: torch.device,
    progress: Callable[[float], None],
) -> Array:
    """The colours of a picture, window by window.

    Args:
        network: on that device; its norms are to see the whole picture.
        channels: of the answer.
        progress: is told the share that is done, in (0, 1].

    Returns:
        (H, W, channels) of the picture's own kind of number.
    """
    kind = canvas.picture.pixels.dtype
    out = np.empty((*canvas.picture.pixels.shape[:2], channels), kind)

    def translate(row: Span, column: Span) -> Array:
        out: Tensor = network(canvas.window(row, column).to(device))
        window: Array = out[0].permute(1, 2, 0).float().cpu().numpy()
        return window

    def finish(top: int, values: Array) -> None:
        kept = levels(torch.from_numpy(values[: max(len(out) - top, 0), : out.shape[1]]), kind.type)
        out[top : top + len(kept)] = kept
        progress(min((top + len(kept)) / len(out), 1.0))

    windows = [canvas.window(*cell).to(device) for cell in tiling.sample]
    with shared_statistics(network, windows, tiling.sample):
        windows.clear()
        blend((canvas.height, canvas.width), tiling.rows, tiling.columns, tiling.overlap, translate, finish)
    return out
