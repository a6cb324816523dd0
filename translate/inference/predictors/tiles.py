"""Cut an image into overlapping windows, and blend them into one again without seams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from translate.images import Array


@dataclass(frozen=True)
class Span:
    """A window along one axis, and the core that it alone answers for; in pixels."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def cut(length: int, core: int, overlap: int, multiple: int) -> list[Span]:
    """Cut a side into windows of one length, whose cores are near `core` long and cover it once.

    Args:
        length: the side; a multiple of `multiple`, like `core` and `overlap`.
        overlap: how far a window reaches beyond its core, but for the image's own border.
    """
    count = max(1, -(-length // core))
    edges = [n * length // (count * multiple) * multiple for n in range(count)] + [length]
    widest = max(stop - start for start, stop in pairwise(edges))
    window = min(widest + 2 * overlap, length)
    spans = []
    for start, stop in pairwise(edges):
        first = min(max(start - overlap, 0), length - window)
        spans.append(Span(first, first + window, start, stop))
    return spans


def blend_weights(spans: list[Span], overlap: int) -> list[Array]:
    """Return how much each window counts along the axis, (window,) float32; at each pixel they add up to 1.

    Neighbours fade into each other over the half of their overlap that lies about the edge of
    their cores, so that what a window knows worst, its own border, counts nothing.
    """
    fade = max(overlap // 2, 1)
    weights = []
    for number, span in enumerate(spans):
        place = np.arange(span.start, span.stop, dtype=np.float32) + 0.5
        weight = np.ones(span.stop - span.start, np.float32)
        if number:
            weight = _ramp(place, span.core_start, fade)
        if number < len(spans) - 1:
            weight = weight - _ramp(place, span.core_stop, fade)
        weights.append(weight)
    return weights


def _ramp(place: Array, edge: int, fade: int) -> Array:
    """Rise from 0 to 1 over `fade` pixels on either side of an edge."""
    ramp: Array = np.clip((place - (edge - fade)) / (2 * fade), 0, 1)
    return ramp


def mirror_indices(length: int, padded_length: int) -> Array:
    """Return which pixel of the image each pixel along a padded side repeats, mirrored at the end."""
    place = np.arange(padded_length) % (2 * length)
    return np.minimum(place, 2 * length - 1 - place)


def blend(
    size: tuple[int, int],
    rows: list[Span],
    columns: list[Span],
    overlap: int,
    predict: Callable[[Span, Span], Array],
    finish: Callable[[int, Array], None],
) -> None:
    """Predict window by window; hand out rows of the whole image as soon as no window changes them.

    Memory is that of one row of windows, whatever the height of the image.

    Args:
        size: height and width of the whole, in pixels.
        predict: the span of rows and of columns -> that window, (h, w, C) float32.
        finish: takes the number of the first row, and rows (n, width, C) float32.
    """
    height, width = size
    over, across = blend_weights(rows, overlap), blend_weights(columns, overlap)
    strip = np.zeros((0, 0, 0), np.float32)
    for row, (span, down) in enumerate(zip(rows, over, strict=True)):
        below = np.zeros((span.stop - span.start, 0, 0), np.float32)
        for column, weight in zip(columns, across, strict=True):
            window = predict(span, column)
            if below.size == 0:
                below = np.zeros((span.stop - span.start, width, window.shape[2]), np.float32)
                left = strip.shape[0]
                below[:left] += strip if left else 0
            below[:, column.start : column.stop] += window * (down[:, None] * weight)[..., None]
        until = rows[row + 1].start if row + 1 < len(rows) else height
        finish(span.start, below[: until - span.start])
        strip = below[until - span.start :]
