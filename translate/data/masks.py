"""Holes to train on: strokes, boxes, blobs and outlines, of the sizes that the papers report.

White (255) is hole. The classes of size are those of arXiv:1804.07723, table 2, and one beyond them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Random = np.random.Generator

HOLE_SIZES = tuple(
    (low / 100, high / 100) for low, high in ((1, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60))
)
BEYOND = (0.6, 0.9)
TRIES = 60  # shapes drawn before a mask is taken as it is


def draw_mask(
    random: Random,
    height: int,
    width: int,
    kinds: tuple[str, ...] = (),
    size: tuple[float, float] | None = None,
) -> Mask:
    """A mask of (H, W) uint8, 0 or 255, that follows from the state of `random` alone.

    Args:
        kinds: of `strokes`, `boxes`, `blobs` and `outlines`; by default any, and often two of them together.
        size: least and greatest share of the hole; by default that of a class, each as likely.
    """
    classes = (*HOLE_SIZES, BEYOND)
    low, high = size or classes[random.integers(len(classes))]
    share = random.uniform(low, high)
    chosen = random.choice(list(kinds or KINDS), size=random.integers(1, 3))
    mask = np.zeros((height, width), np.uint8)
    for _ in range(TRIES):
        more = mask.copy()
        KINDS[random.choice(chosen)](random, more, share)
        if (more > 0).mean() <= high:
            mask = more
        if (mask > 0).mean() >= max(low, 0.9 * share):
            break
    return mask


def _strokes(random: Random, mask: Mask, share: float) -> None:
    """A brush that wanders, turning a little at each of its steps."""
    height, width = mask.shape
    side = min(height, width)
    thickness = max(1, round(side * random.uniform(0.01, 0.04 + 0.12 * share)))
    place = random.uniform((0, 0), (width, height))
    angle = random.uniform(0, 2 * np.pi)
    for _ in range(random.integers(2, 9)):
        angle += random.normal(0, 0.8) + (np.pi if random.random() < 0.15 else 0)
        step = side * random.uniform(0.05, 0.3) * np.array([np.cos(angle), np.sin(angle)])
        there = np.clip(place + step, 0, (width, height))
        cv2.line(mask, _point(place), _point(there), 255, thickness)
        cv2.circle(mask, _point(there), thickness // 2, 255, -1)
        place = there


def _boxes(random: Random, mask: Mask, share: float) -> None:
    height, width = mask.shape
    area, ratio = share * random.uniform(0.2, 1.1), np.exp(random.normal(0, 0.5))
    h = int(np.clip(height * np.sqrt(area * ratio), 2, height))
    w = int(np.clip(width * np.sqrt(area / ratio), 2, width))
    top, left = random.integers(height - h + 1), random.integers(width - w + 1)
    mask[top : top + h, left : left + w] = 255


def _blobs(random: Random, mask: Mask, share: float) -> None:
    """Smooth noise above a level: spots of any form, some with islands in them."""
    height, width = mask.shape
    cells = int(random.integers(3, 9))
    noise = cv2.resize(random.normal(size=(cells, cells)), (width, height), interpolation=cv2.INTER_CUBIC)
    mask[noise > np.quantile(noise, 1 - share * random.uniform(0.4, 1.0))] = 255


def _outlines(random: Random, mask: Mask, share: float) -> None:
    """Something like an object: a body with a wavy outline, and limbs."""
    height, width = mask.shape
    side = np.sqrt(share * random.uniform(0.2, 0.8) * height * width / np.pi)
    center = random.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = 1 + sum(
        random.normal(0, 0.25 / wave) * np.cos(wave * angles + random.uniform(0, 7)) for wave in range(1, 7)
    )
    stretch = np.exp(random.normal(0, 0.3))
    outline = center + (side * radius * [stretch * np.cos(angles), np.sin(angles) / stretch]).T
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 255)
    for start in outline[random.integers(64, size=random.integers(0, 5))]:
        end = start + (start - center) * random.uniform(0.3, 1.2)
        cv2.line(mask, _point(start), _point(end), 255, max(1, round(side * random.uniform(0.1, 0.3))))


KINDS: dict[str, Callable[[Random, Mask, float], None]] = {
    "strokes": _strokes,
    "boxes": _boxes,
    "blobs": _blobs,
    "outlines": _outlines,
}


def _point(place: NDArray[np.float64]) -> tuple[int, int]:
    return int(place[0]), int(place[1])
