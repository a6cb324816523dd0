"""Make the holes that inpainting is scored by, and fill holes without a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from translate.data.datasets.masks import HOLE_SIZES, draw_mask
from translate.errors import DataError, UsageError
from translate.images import Hole, Pixels, find_images, printable_path, read_hole, read_mask_hole

SEED = 0  # of the holes that are drawn
MIN_SIDE = 16  # pixels of the shorter side, of a photo that masks are laid on
RADIUS = 3  # pixels around a pixel from which OpenCV fills it
SIZE_CLASSES = tuple(f"{100 * low:.0f}-{high:.0%}" for low, high in HOLE_SIZES)
UNDER, OVER, ALL = "under 1%", "over 60%", "all sizes"
DRAWN = f"one of each size drawn in each photo, strokes and boxes by turns, seed {SEED}"
FROM_FILES = "in each photo one of each size that there is, in order and round again, of the masks of"

Filler = Callable[[Pixels, Hole], Pixels]
Holes = Callable[[int, tuple[int, ...]], list[tuple[str, Hole]]]  # photo n, (H, W) -> holes and their classes


def draw_holes(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
    """Draw a hole of each class of size, for photo `number` of that height and width."""
    kinds = ("boxes",) if number % 2 else ("strokes",)
    randoms = (np.random.default_rng([SEED, number, index]) for index in range(len(SIZE_CLASSES)))
    sizes = zip(SIZE_CLASSES, randoms, HOLE_SIZES, strict=True)
    return [(name, draw_mask(random, shape[0], shape[1], kinds, size) > 0) for name, random, size in sizes]


def holes_from_files(folder: Path, notes: list[str]) -> Holes:
    """Read the masks of a folder: a photo gets one of each class of size, in order and round again.

    Args:
        notes: takes which masks are of no use, and why.

    Raises:
        UsageError: there is no such folder, or no image in it.
        DataError: no mask is of use.
    """
    files = find_images(folder) if folder.is_dir() else []
    if not files:
        raise UsageError(f"no masks in {printable_path(folder)!r}: give a folder of them, white in the hole")
    by_size: dict[str, list[Path]] = {}
    for path in files:
        name, useless = _class_or_fault(path)
        if useless:
            notes.append(f"mask {useless}")
        else:
            by_size.setdefault(name, []).append(path)
    if not by_size:
        raise DataError(f"no mask of {printable_path(folder)} is of use; {notes[0]}")

    def holes(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
        if min(shape[:2]) < MIN_SIDE:
            raise DataError(f"{shape[1]}x{shape[0]} is too small for masks: {MIN_SIDE} pixels are the least")
        try:
            return [
                (name, read_hole(masks[number % len(masks)], (shape[1], shape[0])))
                for name, masks in by_size.items()
            ]
        except DataError as error:
            raise DataError(f"{error}, which is what was cut from the photo") from None

    return holes


def _class_or_fault(path: Path) -> tuple[str, str]:
    """Return the class of a mask's size, or why it is of no use."""
    try:
        hole = read_mask_hole(path)
    except DataError as error:
        return "", f"{error}: left out"
    if hole.all() or not hole.any():
        return "", f"{printable_path(path)} is left out: {'all' if hole.any() else 'nothing'} is hole"
    return size_class(float(hole.mean())), ""


def size_class(share: float) -> str:
    """Return the class of a hole by its share of the image: above the lower bound, up to the upper one."""
    bounds = [HOLE_SIZES[0][0], *(high for _, high in HOLE_SIZES)]
    return (UNDER, *SIZE_CLASSES, OVER)[sum(share > bound for bound in bounds)]


def _opencv(way: int) -> Filler:
    return lambda holed, hole: np.asarray(cv2.inpaint(holed, hole.astype(np.uint8), RADIUS, way), np.uint8)


def _biharmonic(holed: Pixels, hole: Hole) -> Pixels:
    from skimage.restoration import inpaint_biharmonic  # not above: importing it takes long

    filled = inpaint_biharmonic(holed, hole, channel_axis=-1)
    return np.asarray(np.rint(255 * filled.clip(0, 1)), np.uint8)


BASELINES: dict[str, Filler] = {
    "Telea": _opencv(cv2.INPAINT_TELEA),
    "Navier-Stokes": _opencv(cv2.INPAINT_NS),
    "biharmonic": _biharmonic,
}
