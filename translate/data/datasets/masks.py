"""Draw random masks for training on inpainting: strokes, boxes, blobs and outlines.

A mask is 255 in the hole and 0 elsewhere. The fraction of the image that the hole takes is drawn from the
size classes of arXiv:1804.07723, table 2, and one larger class.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

HOLE_SIZES = tuple(
    (low / 100, high / 100) for low, high in ((1, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60))
)
LARGEST_SIZE = (0.6, 0.9)  # A class that the paper does not have.
MAX_SHAPES = 60  # The number of shapes after which a mask is used even if its hole is still too small.


def draw_mask(
    rng: np.random.Generator,
    height: int,
    width: int,
    kinds: tuple[str, ...] = (),
    size: tuple[float, float] | None = None,
) -> Mask:
    """Draw a mask, (H, W) uint8, 0 or 255, which depends on the state of `rng` alone.

    Args:
        kinds: `strokes`, `boxes`, `blobs` or `outlines`; by default one or two of them at random.
        size: minimum and maximum fraction of the image that the hole takes; by default a random size class.
    """
    classes = (*HOLE_SIZES, LARGEST_SIZE)
    low, high = size or classes[rng.integers(len(classes))]
    share = rng.uniform(low, high)
    chosen = rng.choice(list(kinds or SHAPES), size=rng.integers(1, 3))
    mask = np.zeros((height, width), np.uint8)
    for _ in range(MAX_SHAPES):
        candidate = mask.copy()
        SHAPES[rng.choice(chosen)](rng, candidate, share)
        if (candidate > 0).mean() <= high:
            mask = candidate
        if (mask > 0).mean() >= max(low, 0.9 * share):
            break
    return mask


def draw_half_box(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Draw a mask whose hole is one box of half the sides of the image, or a little smaller.

    As arXiv:1801.07892 is trained, on boxes of 128 of 256 pixels that lose up to 16 pixels at each side. Here
    the box is at a random place, and opposite sides lose the same, so that the hole is in its center.

    Returns:
        (H, W) uint8, 255 in the hole and 0 elsewhere, which depends on the state of `rng` alone.
    """
    mask = np.zeros((height, width), np.uint8)
    h, w = max(1, height // 2), max(1, width // 2)
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    y, x = rng.integers(height // 16 + 1), rng.integers(width // 16 + 1)
    mask[top + y : top + h - y, left + x : left + w - x] = 255
    return mask


def _draw_strokes(rng: np.random.Generator, mask: Mask, share: float) -> None:
    """Draw a brush stroke whose direction changes a little after each segment."""
    height, width = mask.shape
    side = min(height, width)
    thickness = max(1, round(side * rng.uniform(0.01, 0.04 + 0.12 * share)))
    position = rng.uniform((0, 0), (width, height))
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(2, 9)):
        angle += rng.normal(0, 0.8) + (np.pi if rng.random() < 0.15 else 0)
        step = side * rng.uniform(0.05, 0.3) * np.array([np.cos(angle), np.sin(angle)])
        target = np.clip(position + step, 0, (width, height))
        cv2.line(mask, _point(position), _point(target), 255, thickness)
        cv2.circle(mask, _point(target), thickness // 2, 255, -1)
        position = target


def _draw_box(rng: np.random.Generator, mask: Mask, share: float) -> None:
    """Draw a rectangle of random area and aspect ratio."""
    height, width = mask.shape
    area, ratio = share * rng.uniform(0.2, 1.1), np.exp(rng.normal(0, 0.5))
    h = int(np.clip(height * np.sqrt(area * ratio), 2, height))
    w = int(np.clip(width * np.sqrt(area / ratio), 2, width))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    mask[top : top + h, left : left + w] = 255


def _draw_blobs(rng: np.random.Generator, mask: Mask, share: float) -> None:
    """Draw the regions where smooth noise exceeds a threshold; some of them have holes of their own."""
    height, width = mask.shape
    cells = int(rng.integers(3, 9))
    noise = cv2.resize(rng.normal(size=(cells, cells)), (width, height), interpolation=cv2.INTER_CUBIC)
    mask[noise > np.quantile(noise, 1 - share * rng.uniform(0.4, 1.0))] = 255


def _draw_outline(rng: np.random.Generator, mask: Mask, share: float) -> None:
    """Draw the silhouette of an object: a body with a wavy outline, and limbs."""
    height, width = mask.shape
    side = np.sqrt(share * rng.uniform(0.2, 0.8) * height * width / np.pi)
    center = rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = 1 + sum(
        rng.normal(0, 0.25 / wave) * np.cos(wave * angles + rng.uniform(0, 7)) for wave in range(1, 7)
    )
    stretch = np.exp(rng.normal(0, 0.3))
    outline = center + (side * radius * [stretch * np.cos(angles), np.sin(angles) / stretch]).T
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 255)
    for start in outline[rng.integers(64, size=rng.integers(0, 5))]:
        end = start + (start - center) * rng.uniform(0.3, 1.2)
        cv2.line(mask, _point(start), _point(end), 255, max(1, round(side * rng.uniform(0.1, 0.3))))


def _point(position: NDArray[np.float64]) -> tuple[int, int]:
    return int(position[0]), int(position[1])


# The functions that draw one shape of a kind into a mask. Random choices depend on their order.
SHAPES: dict[str, Callable[[np.random.Generator, Mask, float], None]] = {
    "strokes": _draw_strokes,
    "boxes": _draw_box,
    "blobs": _draw_blobs,
    "outlines": _draw_outline,
}
