"""Inpainting masks: convert the image of a mask to the hole, the pixels of a photo that are to be filled."""

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

# Pixels of a mask that are at least this bright, as a fraction of white, belong to the hole.
THRESHOLD = 0.5
# The threshold for a mask smaller than its photo, whose gray pixels are the edges of strokes.
UPSCALED_THRESHOLD = 0.1
# The opaque pixels of a layer are strokes if their colours differ by no more than this fraction of white.
STROKE_COLOR_RANGE = 0.1
# After reduction to the photo's size, a pixel belongs to the hole if this fraction of its area does.
MIN_COVERAGE = 1e-4
# The aspect ratios of a mask and its photo may differ by this much, as the difference of their logarithms.
ASPECT_TOLERANCE = 0.01


def read_hole(path: Path, size: tuple[int, int], *, invert: bool = False, dilate: int = 0) -> Hole:
    """Read a mask file, and return the hole that it marks in an image.

    Args:
        size: width and height of the image in pixels; a mask of the same aspect ratio is resized to it.
        invert: keep the pixels that the mask marks, and fill all others.
        dilate: how many pixels the hole is enlarged by on every side.

    Returns:
        (H, W) bool, true in the hole.

    Raises:
        DataError: the file is not an image, or has another aspect ratio.
    """
    try:
        return hole_from_mask(read(path, first_only=True).frames[0], size, invert=invert, dilate=dilate)
    except DataError as error:
        name = printable_path(path)
        raise DataError(str(error) if str(error).startswith(name) else f"{name}: {error}") from None


def read_mask_hole(path: Path) -> Hole:
    """Read a mask file, and return the hole that it marks, at the mask's own size.

    Raises:
        DataError: the file is not an image.
    """
    return _threshold(read(path, first_only=True).frames[0], THRESHOLD)


def hole_from_mask(mask: Frame, size: tuple[int, int], *, invert: bool = False, dilate: int = 0) -> Hole:
    """Return the hole that a mask in memory marks in an image; the arguments are those of `read_hole`."""
    width, height = mask.size
    if abs(np.log(width / height * size[1] / size[0])) > ASPECT_TOLERANCE and mask.size != size:
        raise DataError(
            f"the mask is {width}x{height} and the image {size[0]}x{size[1]}, another aspect ratio:"
            " resize the mask to the image's size"
        )
    hole = _threshold(mask, THRESHOLD if width >= size[0] else UPSCALED_THRESHOLD)
    if mask.size != size:
        interpolation = cv2.INTER_AREA if width > size[0] else cv2.INTER_NEAREST_EXACT
        hole = cv2.resize(hole.astype(np.float32), size, interpolation=interpolation) > MIN_COVERAGE
    if invert:
        hole = ~hole
    if dilate:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilate + 1, 2 * dilate + 1))
        hole = cv2.dilate(hole.astype(np.uint8), disk) > 0
    return hole


def _threshold(mask: Frame, threshold: float) -> Hole:
    """Return the pixels that a mask marks.

    These are the bright pixels of an opaque image, the strokes on a transparent layer, and the erased part
    of a photo.
    """
    bright: Hole = mask.pixels.max(axis=2) >= threshold * mask.white
    if mask.alpha is None or (opaque := mask.alpha >= threshold * mask.white).all():
        return bright
    if not opaque.any():
        return opaque
    strokes = mask.pixels[opaque]
    color_range = float(np.ptp(strokes, axis=0).max())
    return opaque if color_range <= STROKE_COLOR_RANGE * mask.white else ~opaque
