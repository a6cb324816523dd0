"""Tile blending: split an image into overlapping tiles, and join them with linear blend weights.

A tile is a window that the network sees. Its core is the part that belongs to it alone; cores do not overlap,
tiles do: the overlap around the core gives the network context. Around the edge between two cores,
neighbouring tiles fade into each other linearly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from translate.images import Array


@dataclass(frozen=True)
class Window:
    """The extent of a tile along one axis, in pixels.

    Attributes:
        start, stop: the pixels that the network sees.
        core_start, core_stop: the pixels of the core; the cores of all windows cover the axis exactly once.
    """

    start: int
    stop: int
    core_start: int
    core_stop: int


Tile = tuple[Window, Window]  # The rows and the columns of a tile.


def choose_windows(length: int, max_core: int, overlap: int, multiple: int) -> list[Window]:
    """Split an axis into overlapping windows of equal length; return them in order.

    Args:
        length: the length of the axis, in pixels; a multiple of `multiple`, like `max_core` and `overlap`.
        max_core: the maximum length of a window's core, in pixels; the cores are about equally long.
        overlap: the pixels by which a window extends beyond its core, except at the image's border.
        multiple: each window's start and stop must be a multiple of this, in pixels.
    """
    count = max(1, -(-length // max_core))
    edges = [n * length // (count * multiple) * multiple for n in range(count)] + [length]
    longest_core = max(stop - start for start, stop in pairwise(edges))
    window_length = min(longest_core + 2 * overlap, length)
    windows = []
    for core_start, core_stop in pairwise(edges):
        start = min(max(core_start - overlap, 0), length - window_length)
        windows.append(Window(start, start + window_length, core_start, core_stop))
    return windows


def blend_weights(windows: list[Window], overlap: int) -> list[Array]:
    """Return the linear blend weights of each window, (length,) float32; at each pixel they add up to 1.

    Neighbours overlap by 2 * `overlap` pixels, and fade into each other over half of that, centred on the
    edge between their cores. The pixels next to a window's border, where the network saw the least context,
    weigh 0.
    """
    fade = max(overlap // 2, 1)
    weights = []
    for index, window in enumerate(windows):
        position = np.arange(window.start, window.stop, dtype=np.float32) + 0.5
        weight = np.ones(window.stop - window.start, np.float32)
        if index:
            weight = _ramp(position, window.core_start, fade)
        if index < len(windows) - 1:
            weight = weight - _ramp(position, window.core_stop, fade)
        weights.append(weight)
    return weights


def _ramp(position: Array, edge: int, fade: int) -> Array:
    """Return weights that rise linearly from 0 to 1 within `fade` pixels on either side of an edge."""
    ramp: Array = np.clip((position - (edge - fade)) / (2 * fade), 0, 1)
    return ramp


def mirror_indices(length: int, padded_length: int) -> Array:
    """Return the source index of each pixel of a mirrored axis, as numpy's padding mode `symmetric`."""
    position = np.arange(padded_length) % (2 * length)
    return np.minimum(position, 2 * length - 1 - position)


def blend_tiles(
    size: tuple[int, int],
    rows: list[Window],
    columns: list[Window],
    overlap: int,
    tiles: Iterable[Array],
    write_rows: Callable[[int, Array], None],
) -> None:
    """Blend the tiles of an image; write rows as soon as they are complete.

    A tile is taken when its turn comes, and only one row of tiles is held in memory, whatever the height of
    the image.

    Args:
        size: height and width of the image, in pixels.
        rows, columns: the windows along each axis; every pair is a tile.
        tiles: (h, w, C) float32 each, row by row and from left to right.
        write_rows: takes the index of the first row, and rows (n, width, C) float32.
    """
    height, width = size
    row_weights, column_weights = blend_weights(rows, overlap), blend_weights(columns, overlap)
    outputs = iter(tiles)
    incomplete = np.zeros((0, 0, 0), np.float32)  # Rows that the next row of tiles adds to.
    for index, (row, row_weight) in enumerate(zip(rows, row_weights, strict=True)):
        strip = np.zeros((row.stop - row.start, 0, 0), np.float32)
        for column, column_weight in zip(columns, column_weights, strict=True):
            tile = next(outputs)
            if strip.size == 0:
                strip = np.zeros((row.stop - row.start, width, tile.shape[2]), np.float32)
                count = incomplete.shape[0]
                strip[:count] += incomplete if count else 0
            strip[:, column.start : column.stop] += tile * (row_weight[:, None] * column_weight)[..., None]
        next_start = rows[index + 1].start if index + 1 < len(rows) else height
        write_rows(row.start, strip[: next_start - row.start])
        incomplete = strip[next_start - row.start :]
