"""Inpainting masks: convert the image of a mask to the hole, the pixels of a photo that are to be filled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.images.codecs.reading import read
from translate.images.files import printable_path
from translate.images.frame import Array, Frame

Hole = npt.NDArray[np.bool_]

# Between the darkest and the brightest pixel of a mask, the hole begins at this fraction.
THRESHOLD = 0.5
# The threshold for a mask smaller than its photo, whose gray pixels are the edges of strokes.
UPSCALED_THRESHOLD = 0.1
# Colours that differ by no more than this fraction of the mask's contrast count as one.
COLOR_TOLERANCE = 0.25
# Classes have few colours, and then differences of this fraction of the contrast count.
MAX_CLASSES, CLASS_TOLERANCE = 32, 0.02
# A colour is a class, and not the soft edge of a stroke, if it has this share of the even areas.
MIN_CLASS_SHARE = 0.05
# The share of the pixels that may be neither dark nor bright, and of another colour than the rest.
MAX_MIDDLE_SHARE, MAX_OTHER_COLORS = 0.25, 0.25
# The contrast, in steps of integers, from which on several values are more than noise.
MIN_CONTRAST = 16
# The opaque pixels of a layer are strokes if their colours differ by no more than this fraction of white.
STROKE_COLOR_RANGE = 0.1
# A copy of a photo has more colours than this.
MAX_STROKE_COLORS = 16
# After reduction to the photo's size, a pixel belongs to the hole if this fraction of its area does.
MIN_COVERAGE = 1e-4
# The aspect ratios of a mask and its photo may differ by this much, as the difference of their logarithms.
ASPECT_TOLERANCE = 0.01
MAX_SAMPLE = 2**20  # The pixels of a larger mask that decide whether its meaning is clear.
MAX_LISTED = 6  # The number of values of a mask that an error lists.


def read_hole(
    path: Path, size: tuple[int, int] | None = None, *, invert: bool = False, dilate: int = 0
) -> Hole:
    """Read a mask file, and return the hole that it marks in an image.

    Args:
        size: width and height of the image in pixels; a mask of the same aspect ratio is resized to it. By
            default the mask's own size.
        invert: keep the pixels that the mask marks, and fill all others.
        dilate: how many pixels the hole is enlarged by on every side.

    Returns:
        (H, W) bool, true in the hole.

    Raises:
        DataError: the file is not an image, has another aspect ratio, marks nothing or everything, or it is
            not clear what it marks.
    """
    try:
        # A conversion of colours could make 0 and 1 one value.
        mask = read(path, first_only=True, keep_profile_colors=True, raw_floats=True).frames[0]
        return hole_from_mask(mask, size or mask.size, invert=invert, dilate=dilate)
    except DataError as error:
        name = printable_path(path)
        raise DataError(str(error) if str(error).startswith(name) else f"{name}: {error}") from None


def hole_from_mask(mask: Frame, size: tuple[int, int], *, invert: bool = False, dilate: int = 0) -> Hole:
    """Return the hole that a mask in memory marks in an image; arguments and errors are those of `read_hole`.

    Floats may have any range.
    """
    width, height = mask.size
    if abs(np.log(width / height * size[1] / size[0])) > ASPECT_TOLERANCE and mask.size != size:
        _refuse_aspect(mask.size, size)
    if not np.isfinite(mask.pixels).all():
        raise DataError("the mask holds NaN or infinite values: give 1 in the hole and 0 elsewhere")
    hole = _find_marked(mask, THRESHOLD if width >= size[0] else UPSCALED_THRESHOLD)
    if mask.size != size:
        interpolation = cv2.INTER_AREA if width > size[0] else cv2.INTER_NEAREST_EXACT
        hole = cv2.resize(hole.astype(np.float32), size, interpolation=interpolation) > MIN_COVERAGE
    if invert:
        hole = ~hole
    if dilate:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilate + 1, 2 * dilate + 1))
        hole = cv2.dilate(hole.astype(np.uint8), disk) > 0
    if not hole.any():
        remedy = "leave --invert out" if invert else "make what is to be filled white"
        raise DataError(f"the mask marks nothing to fill, it holds {_describe(mask)}: {remedy}")
    if hole.all():
        raise DataError(
            f"the mask covers the whole image, it holds {_describe(mask)}: leave black what is to be kept"
            " (--invert swaps the two)"
        )
    return hole


def _refuse_aspect(mask: tuple[int, int], image: tuple[int, int]) -> NoReturn:
    """Raise the error for a mask and an image, (width, height), of different aspect ratios."""
    remedy = "another aspect ratio: resize the mask to the image's size"
    if mask == image[::-1]:
        remedy = (
            "width and height swapped: turn the mask by 90 degrees, because it belongs to the upright image"
            " (after its EXIF orientation)"
        )
    raise DataError(f"the mask is {mask[0]}x{mask[1]} and the image {image[0]}x{image[1]}, {remedy}")


def _find_marked(mask: Frame, threshold: float) -> Hole:
    """Return the pixels that a mask marks.

    These are the bright pixels of an opaque image, the strokes on a transparent layer, and the erased part
    of a photo.
    """
    if mask.alpha is None:
        return _find_bright(mask.pixels, threshold)
    most_opaque = float(mask.alpha.max())
    if not most_opaque:
        return np.zeros(mask.alpha.shape, bool)
    # Strokes may be painted with a brush that is less than half opaque.
    white = mask.white if most_opaque >= mask.white / 2 else most_opaque
    opaque: Hole = mask.alpha >= threshold * white
    if opaque.all():
        return _find_bright(mask.pixels, threshold)
    strokes = mask.pixels[opaque]
    color_range = float(np.ptp(strokes, axis=0).max())
    if color_range <= STROKE_COLOR_RANGE * mask.white:
        return opaque
    if len(_count_values(_color_codes(_sample(strokes[:, None])))[0]) <= MAX_STROKE_COLORS:
        raise DataError(
            f"the opaque part of the mask holds {_describe(Frame(pixels=strokes[:, None]))}, so it is neither"
            " strokes of one colour nor a photo: paint what is to be filled in one colour on a transparent"
            " layer"
        )
    return ~opaque


def _find_bright(pixels: Array, threshold: float) -> Hole:
    """Return the bright pixels of an image, (H, W, C), that is dark in one part and bright in the other.

    Raises:
        DataError: it has no two such parts.
    """
    if pixels.shape[2] == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    elif pixels.dtype == np.float32 and (pixels.min() < 0 or pixels.max() > 1):
        pixels = (pixels - pixels.min()) / np.ptp(pixels)
    sample = _sample(pixels)
    values, _ = _count_values(_color_codes(sample))
    if len(values) <= 2:
        sample = pixels
        values, _ = _count_values(_color_codes(sample))
    levels = pixels.max(axis=2)
    low, high = float(levels.min()), float(levels.max())
    if len(values) == 1:
        return np.full(levels.shape, high > 0)
    if len(values) == 2:
        both_bright = low >= THRESHOLD * _white(pixels)
        if low == high or (both_bright and pixels.shape[2] == 3):
            raise _unclear(pixels, "and it is not clear which of them is the hole")
        return np.asarray(levels == levels.max())
    if pixels.dtype != np.float32 and high - low < MIN_CONTRAST:
        raise _unclear(pixels, "all alike")
    _check_two_parts(sample, len(values) <= MAX_CLASSES)
    return np.asarray(levels >= low + threshold * (high - low))


def _sample(pixels: Array) -> Array:
    """Return the pixels of an image, (H, W, C), or so many of them, on a grid, that counting them is fast."""
    step = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / MAX_SAMPLE))
    return pixels[::step, ::step]


def _check_two_parts(pixels: Array, few_colors: bool) -> None:
    """Check that the pixels of an image have two colours, dark and bright, up to noise and soft edges.

    Args:
        few_colors: whether the image has so few colours that they may be classes.

    Raises:
        DataError: they have not.
    """
    levels = pixels.max(axis=2).astype(np.float32)
    levels = (levels - levels.min()) / np.ptp(levels)
    dark, bright = levels <= COLOR_TOLERANCE, levels >= 1 - COLOR_TOLERANCE
    if (dark | bright).mean() < 1 - MAX_MIDDLE_SHARE:
        raise _unclear(pixels, "with no gap between dark and bright")
    ends = [np.median(pixels[part], axis=0).astype(np.float32) for part in (dark, bright)]
    contrast = float(np.abs(ends[1] - ends[0]).max())

    def difference(colors: Array) -> Array:
        """Return how far colours are from the nearer end, as a fraction of the contrast."""
        distances = [np.abs(colors.astype(np.float32) - end).max(axis=-1) for end in ends]
        return np.asarray(np.minimum(*distances) / max(contrast, 1e-9))

    if pixels.shape[2] == 3:
        if ends[0].max() >= THRESHOLD * _white(pixels):
            raise _unclear(pixels, "and it is not clear which of them is the hole")
        for part in (dark, bright):
            if (difference(pixels[part]) > COLOR_TOLERANCE).mean() > MAX_OTHER_COLORS:
                raise _unclear(pixels, "of more than two colours")
    square = np.ones((3, 3), np.uint8)
    codes = _color_codes(pixels)
    numbers = codes.astype(np.float64)
    even = cv2.erode(numbers, square) == cv2.dilate(numbers, square)
    values, counts = _count_values(codes[even])
    order = np.argsort(counts)[::-1][1:]  # without the background
    classes = order[counts[order] >= MIN_CLASS_SHARE * counts[order].sum()]
    tolerance = CLASS_TOLERANCE if few_colors else COLOR_TOLERANCE
    if (difference(_decode_colors(values[classes], pixels)) > tolerance).any():
        raise _unclear(pixels, "like classes")


def _unclear(pixels: Array, reason: str) -> DataError:
    """Return the error for an image whose hole is not clear."""
    return DataError(
        f"the mask holds {_describe(Frame(pixels=pixels))}, {reason}: threshold it to two values,"
        " white where the photo is to be filled, or paint strokes of one colour on a transparent layer"
    )


def _describe(mask: Frame) -> str:
    """Return the values of a mask, most frequent first, and how many pixels have each."""
    if mask.alpha is not None and not mask.alpha.any():
        return f"{mask.alpha.size} transparent pixels"
    values, counts = _count_values(_color_codes(mask.pixels))
    order = np.argsort(-counts, kind="stable")[:MAX_LISTED]
    colors = _decode_colors(values[order], mask.pixels)
    listed = [
        f"{_format_color(color)} ({count} pixel{'s' * (count != 1)})"
        for color, count in zip(colors, counts[order].tolist(), strict=True)
    ]
    others = len(values) - len(listed)
    *first, last = listed + [f"{others} other value{'s' * (others != 1)}"] * (others > 0)
    return f"{', '.join(first)} and {last}" if first else f"only {last}"


def _format_color(color: Array) -> str:
    """Return a gray value as a number, and a colour as `(red, green, blue)`."""
    channels = [f"{value:g}" for value in color.tolist()]
    return channels[0] if len(set(channels)) == 1 else f"({', '.join(channels)})"


def _color_codes(pixels: Array) -> Array:
    """Return each colour, (..., C), as one number, (...); floats in colour are rounded to 16 bits."""
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    if pixels.dtype == np.float32:
        pixels = np.rint(65535 * pixels.clip(0, 1)).astype(np.uint16)
    bits, codes = 8 * pixels.itemsize, pixels.astype(np.uint64)
    packed: Array = (codes[..., 0] << 2 * bits) | (codes[..., 1] << bits) | codes[..., 2]
    return packed


def _decode_colors(codes: Array, pixels: Array) -> Array:
    """Return the colours, (N, C), of codes that `_color_codes` made from these pixels."""
    if pixels.shape[-1] == 1:
        return codes[:, None]
    is_float = pixels.dtype == np.float32
    bits = 16 if is_float else 8 * pixels.itemsize
    channels = np.stack([codes >> shift * bits & (2**bits - 1) for shift in (2, 1, 0)], axis=1)
    return channels / np.float32(65535) if is_float else channels


def _count_values(values: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the distinct values of an array, and how often each occurs."""
    if values.dtype in (np.uint8, np.uint16):
        counts = np.bincount(values.ravel())
        (present,) = counts.nonzero()
        return present, counts[present]
    return np.unique(values, return_counts=True)


def _white(pixels: Array) -> float:
    """Return the value of white of an image's data type."""
    return Frame(pixels=pixels).white
