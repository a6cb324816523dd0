"""Tiling: decide when an image is too large for one forward pass, and run a network on it tile by tile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from translate.images import Array, denormalize
from translate.inference.predictors.padding import PaddedImage
from translate.inference.predictors.statistics import (
    StatisticsInterpreter,
    choose_statistics_tiles,
    pool_statistics,
)
from translate.inference.predictors.tile_blending import Tile, Window, blend_tiles, choose_windows
from translate.inference.runtime.fixed_batches import Download, fixed_batch_size
from translate.inference.runtime.settings_lock import settings_read_lock
from translate.networks import MemoryCost
from translate.progress import Progress

# The pixels by which a tile extends beyond its core on each side, before rounding up to a multiple of the
# network's size multiple.
OVERLAP = 64
# The maximum side of a tile's core, in pixels. Larger cores cost memory: a row of tiles as wide as the image
# is held at once.
MAX_CORE = 1024
# Core and overlap, in pixels, of the small tiles that estimate the instance-norm statistics of an image whose
# tiles do not all fit into memory.
STATISTICS_CORE, STATISTICS_OVERLAP = 96, 16


@dataclass(frozen=True)
class Tiling:
    """The tiles that a padded image is split into.

    Attributes:
        rows, columns: the windows along each axis; every pair is a tile.
        overlap: pixels by which a tile extends beyond its core.
        statistics_tiles: the tiles whose normalization statistics are used for the whole image.
        batch_size: the tiles in each forward pass; the last batch is padded.
    """

    rows: list[Window]
    columns: list[Window]
    overlap: int
    statistics_tiles: list[Tile]
    batch_size: int


def plan_tiles(
    image: PaddedImage,
    tile: str | int,
    *,
    multiple: int,
    cost: MemoryCost,
    max_untiled: float,
    max_tiled: float,
    batch_pixels: int = 1,
) -> Tiling | None:
    """Decide how to split an image into tiles; return None if it runs in one piece.

    Args:
        tile: `auto`, `off`, or the side of a tile's core in pixels.
        multiple: each side of the network's input must be a multiple of this, in pixels.
        cost: bytes of memory per pixel that the network takes.
        max_untiled: the maximum bytes for an image in one piece.
        max_tiled: the maximum bytes for the tiles that the network runs on at once.
        batch_pixels: the maximum pixels of the tiles of a batch; a tile may have more.
    """
    if tile == "off" or (tile == "auto" and image.height * image.width * cost.forward <= max_untiled):
        return None

    def round_up(side: int) -> int:
        return -(-side // multiple) * multiple

    overlap = round_up(OVERLAP)
    max_core = min(int((max_tiled / cost.forward) ** 0.5) - 2 * overlap, MAX_CORE)
    core = max(round_up(tile) if isinstance(tile, int) else max_core // multiple * multiple, multiple)
    if core >= max(image.height, image.width):
        return None
    rows, columns = (choose_windows(side, core, overlap, multiple) for side in (image.height, image.width))
    count, area = len(rows) * len(columns), _tile_area(rows, columns)
    batch_size = fixed_batch_size(area, min(batch_pixels, max_tiled / cost.forward, count * area))
    # All tiles go through the network together, layer by layer, if their feature maps fit.
    if count * area * cost.between_layers <= max_untiled:
        return Tiling(rows, columns, overlap, choose_statistics_tiles(rows, columns, count), batch_size)
    small_rows, small_columns = (
        choose_windows(side, round_up(STATISTICS_CORE), round_up(STATISTICS_OVERLAP), multiple)
        for side in (image.height, image.width)
    )
    max_count = max(1, int(max_tiled / (_tile_area(small_rows, small_columns) * cost.between_layers)))
    statistics_tiles = choose_statistics_tiles(small_rows, small_columns, max_count)
    return Tiling(rows, columns, overlap, statistics_tiles, batch_size)


def _tile_area(rows: list[Window], columns: list[Window]) -> int:
    """Return the number of pixels of one tile, overlap included."""
    return (rows[0].stop - rows[0].start) * (columns[0].stop - columns[0].start)


@dataclass(frozen=True)
class TiledNetwork:
    """A network and what running it tile by tile needs.

    Attributes:
        network: the network, on the device.
        graph: the traced layers, from `trace_norms`, if an instance norm must take its statistics from the
            whole image; else None.
        channels: the number of output channels.
    """

    network: nn.Module
    graph: fx.Graph | None
    channels: int
    device: torch.device

    def input_tile(self, image: PaddedImage, tile: Tile) -> Tensor:
        """Return the network's input for a tile, (1, C, h, w) on the device."""
        return image.crop(*tile).to(self.device)

    def with_image_statistics(self, image: PaddedImage, tiling: Tiling) -> Callable[[Tensor], Tensor]:
        """Return the network with norms that use statistics pooled over the statistics tiles."""
        if self.graph is None:
            return self.network
        inputs = [self.input_tile(image, tile) for tile in tiling.statistics_tiles]
        with settings_read_lock():
            statistics = pool_statistics(self.network, self.graph, inputs, tiling.statistics_tiles)
        return StatisticsInterpreter(self.network, self.graph, statistics).run

    def run(self, image: PaddedImage, tiling: Tiling) -> Iterator[Array]:
        """Yield the output for each tile, (h, w, C) float32, row by row and from left to right."""
        forward = self.with_image_statistics(image, tiling)
        tiles, size = list(product(tiling.rows, tiling.columns)), tiling.batch_size
        # A GPU computes a batch while the one before it is blended; on a CPU, tiles would only take memory.
        batches_ahead = 1 if self.device.type == "cuda" else 0
        downloads: deque[Download] = deque()
        for start in range(0, len(tiles), size):
            inputs = [self.input_tile(image, tile) for tile in tiles[start : start + size]]
            x = inputs[0]
            if size > 1:
                # Of another size, the last batch would run through kernels that round differently.
                x = F.pad(torch.cat(inputs), (0, 0, 0, 0, 0, 0, 0, size - len(inputs)))
            with settings_read_lock():
                y = forward(x)
            downloads.append(Download(y[: len(inputs)].permute(0, 2, 3, 1).float()))
            if len(downloads) > batches_ahead:
                yield from downloads.popleft().wait().numpy()
        for download in downloads:
            yield from download.wait().numpy()


def predict_tiled(image: PaddedImage, tiling: Tiling, network: TiledNetwork, progress: Progress) -> Array:
    """Apply a network to an image tile by tile.

    Returns:
        (H, W, channels) of the image's own dtype and size, without the padding.
    """
    dtype = image.frame.pixels.dtype
    output = np.empty((*image.frame.pixels.shape[:2], network.channels), dtype)

    def write_rows(top: int, values: Array) -> None:
        inside = torch.from_numpy(values[: max(len(output) - top, 0), : output.shape[1]])
        output[top : top + len(inside)] = denormalize(inside, dtype.type)
        progress(min((top + len(inside)) / len(output), 1.0))

    size = image.height, image.width
    blend_tiles(size, tiling.rows, tiling.columns, tiling.overlap, network.run(image, tiling), write_rows)
    return output
