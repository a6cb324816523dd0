"""Masks: which pixels of a photo an inpainting model is to fill."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.images.codecs.reading import read
from translate.images.files import printable_path
from translate.images.frame import Frame

Hole = npt.NDArray[np.bool_]

LEVEL = 0.5  # of white, from which on a pixel of a mask is hole
PARTLY = 0.1  # the same for a mask smaller than its photo: a gray pixel holds the edge of a stroke
FLAT = 0.1  # of white; strokes of one colour on a transparent layer differ by no more
TOUCHED = 1e-4  # of a pixel; a photo's pixel is hole where any of the mask's pixels in it is
ASPECT = 0.01  # by which a mask's aspect may differ from its photo's


def read_hole(path: Path, size: tuple[int, int], *, invert: bool = False, dilate: int = 0) -> Hole:
    """Read the hole that a mask file describes in an image.

    Args:
        size: width and height of the image, in pixels; a mask of the same aspect is resized to it.
        invert: keep what the mask shows, and make all else hole.
        dilate: by how many pixels to enlarge the hole on every side.

    Returns:
        (H, W) bool.

    Raises:
        DataError: the file is no image, or of another aspect.
    """
    try:
        return hole_from_mask(read(path, first_only=True).frames[0], size, invert=invert, dilate=dilate)
    except DataError as error:
        name = printable_path(path)
        raise DataError(str(error) if str(error).startswith(name) else f"{name}: {error}") from None


def read_mask_hole(path: Path) -> Hole:
    """Read the hole that a mask file describes, at the mask's own size.

    Raises:
        DataError: the file is no image.
    """
    return _shown(read(path, first_only=True).frames[0], LEVEL)


def hole_from_mask(mask: Frame, size: tuple[int, int], *, invert: bool = False, dilate: int = 0) -> Hole:
    """Return the hole as `read_hole` does, of a mask that is read already."""
    width, height = mask.size
    if abs(np.log(width / height * size[1] / size[0])) > ASPECT and mask.size != size:
        raise DataError(
            f"a mask of {width}x{height} for an image of {size[0]}x{size[1]}: give it the image's size"
        )
    hole = _shown(mask, LEVEL if width >= size[0] else PARTLY)
    if mask.size != size:
        way = cv2.INTER_AREA if width > size[0] else cv2.INTER_NEAREST_EXACT
        hole = cv2.resize(hole.astype(np.float32), size, interpolation=way) > TOUCHED
    if invert:
        hole = ~hole
    if dilate:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilate + 1, 2 * dilate + 1))
        hole = cv2.dilate(hole.astype(np.uint8), disk) > 0
    return hole


def _shown(mask: Frame, level: float) -> Hole:
    """Return the bright pixels of a mask; on a transparent layer the strokes, in a cut photo the cut."""
    bright: Hole = mask.pixels.max(axis=2) >= level * mask.white
    if mask.alpha is None or (opaque := mask.alpha >= level * mask.white).all():
        return bright
    if not opaque.any():
        return opaque
    strokes = mask.pixels[opaque]
    spread = float(np.ptp(strokes, axis=0).max())
    return opaque if spread <= FLAT * mask.white else ~opaque
