"""Holes to score a repair by, and what repairs without a model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from translate.data.masks import HOLE_SIZES, draw_mask
from translate.errors import DataError, UsageError
from translate.images import Hole, Pixels, find_pictures, picture_name, read_hole

SEED = 0  # of the holes that are drawn
LEAST = 16  # pixels of the shorter side, of a photo that masks are laid on
RADIUS = 3  # pixels around a pixel from which OpenCV fills it
CLASSES = tuple(f"{100 * low:.0f}-{high:.0%}" for low, high in HOLE_SIZES)
UNDER, OVER, ALL = "under 1%", "over 60%", "all sizes"
DRAWN = f"one of each size drawn in each photo, strokes and boxes by turns, seed {SEED}"

Filler = Callable[[Pixels, Hole], Pixels]
Holes = Callable[[int, tuple[int, ...]], list[tuple[str, Hole]]]  # of photo n, (H, W), each with its class


def drawn(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
    """A hole of each class of size, for photo `number` of that height and width."""
    kinds = ("boxes",) if number % 2 else ("strokes",)
    randoms = (np.random.default_rng([SEED, number, index]) for index in range(len(CLASSES)))
    sizes = zip(CLASSES, randoms, HOLE_SIZES, strict=True)
    return [(name, draw_mask(random, shape[0], shape[1], kinds, size) > 0) for name, random, size in sizes]


def mask_files(folder: Path, notes: list[str]) -> Holes:
    """The masks of a folder, in order and round again, one a photo; `notes` are told which are of no use.

    Raises:
        UsageError: there is no such folder, or no picture in it.
    """
    files = find_pictures(folder) if folder.is_dir() else []
    if not files:
        raise UsageError(f"no masks in {picture_name(folder)!r}: give a folder of them, white in the hole")
    turns = cycle(files)

    def holes(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
        if min(shape[:2]) < LEAST:
            raise DataError(f"{shape[1]}x{shape[0]} is too small for masks: {LEAST} pixels are the least")
        for path in islice(turns, len(files)):
            try:
                hole = read_hole(path, (shape[1], shape[0]))
            except DataError as error:
                raise DataError(f"{error}, which is what was cut from the photo") from None
            if hole.any() and not hole.all():
                return [(size_class(float(hole.mean())), hole)]
            note = f"mask {picture_name(path)} is left out: {'all' if hole.any() else 'nothing'} is hole"
            notes.extend([note] if note not in notes else [])
        raise DataError(f"no mask of {picture_name(folder)} is of use: all or nothing is hole in each")

    return holes


def size_class(share: float) -> str:
    """The class of a hole by its share of the picture: above the lower bound, up to the upper one."""
    bounds = [HOLE_SIZES[0][0], *(high for _, high in HOLE_SIZES)]
    return (UNDER, *CLASSES, OVER)[sum(share > bound for bound in bounds)]


def _opencv(way: int) -> Filler:
    return lambda holed, hole: np.asarray(cv2.inpaint(holed, hole.astype(np.uint8), RADIUS, way), np.uint8)


def _biharmonic(holed: Pixels, hole: Hole) -> Pixels:
    from skimage.restoration import inpaint_biharmonic  # not above: it takes long to import

    filled = inpaint_biharmonic(holed, hole, channel_axis=-1)
    return np.asarray(np.rint(255 * filled.clip(0, 1)), np.uint8)


BASELINES: dict[str, Filler] = {
    "Telea": _opencv(cv2.INPAINT_TELEA),
    "Navier-Stokes": _opencv(cv2.INPAINT_NS),
    "biharmonic": _biharmonic,
}
