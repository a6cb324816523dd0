"""Draw or read the holes that inpainting is scored on, and fill holes by baselines that need no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from translate.data.datasets.masks import HOLE_SIZES, draw_mask
from translate.errors import DataError, UsageError
from translate.images import Hole, Pixels, find_images, printable_path, read_hole

SEED = 0  # of the random holes
MIN_SIDE = 16  # of a photo that masks are applied to, in pixels
RADIUS = 3  # of the neighbourhood that OpenCV inpaints a pixel from, in pixels
SIZE_CLASSES = tuple(f"{100 * low:.0f}-{high:.0%}" for low, high in HOLE_SIZES)
UNDER, OVER, ALL = "under 1%", "over 60%", "all sizes"
DRAWN_PROTOCOL = f"a random one of each size in each photo, strokes and boxes in turn, seed {SEED}"
FILES_PROTOCOL = "a mask of each available size in each photo, in the order of the files, from"

Filler = Callable[[Pixels, Hole], Pixels]
HolesOfPhoto = Callable[[int, tuple[int, ...]], list[tuple[str, Hole]]]  # as `draw_holes`


def draw_holes(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
    """Draw a random hole of each size class for a photo, the same ones each time.

    Args:
        number: the index of the photo, which with the class seeds the drawing.
        shape: height and width of the photo.

    Returns:
        Names of size classes and holes.
    """
    kinds = ("boxes",) if number % 2 else ("strokes",)
    rngs = (np.random.default_rng([SEED, number, index]) for index in range(len(SIZE_CLASSES)))
    sizes = zip(SIZE_CLASSES, rngs, HOLE_SIZES, strict=True)
    return [(name, draw_mask(rng, shape[0], shape[1], kinds, size) > 0) for name, rng, size in sizes]


def read_holes(folder: Path, notes: list[str]) -> HolesOfPhoto:
    """Sort the masks of a folder by size class; return a function that gives a photo one of each class.

    The masks of a class are used in the order of their names, and again from the first.

    Args:
        notes: a note is appended for each mask that is skipped.

    Raises:
        UsageError: the folder is missing or has no images.
        DataError: no mask can be used.
    """
    files = find_images(folder) if folder.is_dir() else []
    if not files:
        raise UsageError(
            f"no masks in {printable_path(folder)!r}: give a folder of mask images, white in the hole"
        )
    masks_by_size: dict[str, list[Path]] = {}
    for path in files:
        try:
            masks_by_size.setdefault(_mask_size_class(path), []).append(path)
        except DataError as error:
            notes.append(f"mask skipped: {error}")
    if not masks_by_size:
        raise DataError(f"no mask in {printable_path(folder)} can be used; the first: {notes[0]}")

    def holes_of_photo(number: int, shape: tuple[int, ...]) -> list[tuple[str, Hole]]:
        height, width = shape[:2]
        if min(height, width) < MIN_SIDE:
            raise DataError(f"{width} x {height} pixels are too few for masks: use {MIN_SIDE} or more a side")
        try:
            return [
                (name, read_hole(masks[number % len(masks)], (width, height)))
                for name, masks in masks_by_size.items()
            ]
        except DataError as error:
            raise DataError(f"{error} (the image is the center crop of the photo)") from None

    return holes_of_photo


def _mask_size_class(path: Path) -> str:
    """Return the size class of a mask file.

    Raises:
        DataError: it cannot be used; see `read_hole`.
    """
    return size_class(float(read_hole(path).mean()))


def size_class(fraction: float) -> str:
    """Return the size class of a hole by its fraction of the image, lower bound excluded, upper included."""
    bounds = [HOLE_SIZES[0][0], *(high for _, high in HOLE_SIZES)]
    return (UNDER, *SIZE_CLASSES, OVER)[sum(fraction > bound for bound in bounds)]


def _opencv(method: int) -> Filler:
    return lambda holed, hole: np.asarray(cv2.inpaint(holed, hole.astype(np.uint8), RADIUS, method), np.uint8)


def _biharmonic(holed: Pixels, hole: Hole) -> Pixels:
    # Imported here because it is slow to import and only --baselines needs it.
    from skimage.restoration import inpaint_biharmonic

    image = inpaint_biharmonic(holed, hole, channel_axis=-1)
    return np.asarray(np.rint(255 * image.clip(0, 1)), np.uint8)


BASELINES: dict[str, Filler] = {
    "Telea": _opencv(cv2.INPAINT_TELEA),
    "Navier-Stokes": _opencv(cv2.INPAINT_NS),
    "biharmonic": _biharmonic,
}
