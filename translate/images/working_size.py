"""Reduce an image to the working size of a network, and bring the network's output back to the image's size.

Enlarging the output alone would lose the image's detail. So the detail that reduction removed is added again
where the network has kept the image: where its change is even, such as a tint or the background of an object.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from translate.images.frame import Frame, round_to

Floats = npt.NDArray[np.float32]

MULTIPLE_TOLERANCE = 1 / 8  # A side moves to the nearest multiple if it changes by at most this fraction.
RADIUS = 2  # The mean and variance of the change are those of windows of 5 x 5 pixels at the working size.
# Both limits are squares of values in [0, 1], at which a weight has fallen to one half. They were chosen on
# the built-in scenes at 512 px, whose background keeps its detail, and on label maps of facades.
MAX_VARIANCE = 0.03  # of the change: beyond it, the network has drawn something else
MAX_CHANGE = 0.0625  # the mean square of the change: beyond it, the image is no longer the input
SHARPNESS = 8  # The exponent with which a weight falls at its limit.
STRIP_PIXELS = 2**20  # The pixels that are enlarged at once, to bound memory.


def working_shape(height: int, width: int, side: int | None, multiple: int) -> tuple[int, int]:
    """Return the height and width at which a network sees an image.

    The shorter side becomes `side`, with the aspect kept. Each side then moves to the nearest multiple if it
    is near. An image whose shorter side is not larger keeps its size.

    Args:
        side: the working size, in pixels; None keeps every size.
        multiple: each side of the network's input must be a multiple of this, in pixels.
    """
    if side is None or min(height, width) <= side:
        return height, width
    factor = side / min(height, width)
    return _near_multiple(factor * height, multiple), _near_multiple(factor * width, multiple)


def _near_multiple(side: float, multiple: int) -> int:
    """Return the nearest multiple if it is near; else the side rounded, which padding then completes."""
    nearest = max(1, round(side / multiple)) * multiple
    return nearest if abs(nearest - side) <= MULTIPLE_TOLERANCE * side else max(1, round(side))


def reduce_to_working_size(frame: Frame, side: int | None, multiple: int) -> Frame:
    """Reduce an image to its working size by area averaging; the arguments are those of `working_shape`.

    Returns:
        A float32 image, or the image itself if it has that size.
    """
    width, height = frame.size
    small = working_shape(height, width, side, multiple)
    if small == (height, width):
        return frame
    pixels = cv2.resize(frame.pixels, small[::-1], interpolation=cv2.INTER_AREA).reshape(*small, -1)
    return Frame(pixels=(pixels / np.float32(frame.white)).astype(np.float32))


def restore_size(frame: Frame, small: Frame, output: Frame) -> Frame:
    """Bring a network's output for a reduced image back to the image's own size and bit depth.

    With the change d = output - small, and its mean and variance in a window around each pixel::

        result = enlarge(output - p (d - mean d)) + enlarge(q) (image - enlarge(small))

    The weight q of the detail is 1 where d varies little and is not large. The weight p takes noise out of d
    where the image was kept; the result there is the image plus an even change. If the network changes
    nothing, the result is the image, to the bit.

    Args:
        small: what `reduce_to_working_size` made of the image.
        output: the network's output for it, float32 of the same size, of 1 or 3 channels.
    """
    if small is frame:
        return output
    is_gray = output.pixels.shape[2] == 1
    reduced = small.gray() if is_gray else small.rgb()
    smoothed, weight = _weigh_change(reduced, output.pixels)
    height, width = frame.pixels.shape[:2]
    result = np.empty((height, width, output.pixels.shape[2]), frame.pixels.dtype)
    rows = max(1, STRIP_PIXELS // width)
    layers = np.dstack([smoothed, reduced, weight])
    channels = result.shape[2]
    for top in range(0, height, rows):
        strip = Frame(pixels=frame.pixels[top : top + rows])
        pixels = strip.gray() if is_gray else strip.rgb()
        large = _enlarge_rows(layers, (height, width), top, len(pixels))
        detail = pixels / np.float32(frame.white) - large[..., channels : 2 * channels]
        values = large[..., :channels] + large[..., 2 * channels :].clip(0, 1) * detail
        result[top : top + rows] = round_to(values.clip(0, 1) * np.float32(frame.white), result.dtype)
    return Frame(pixels=result)


def _weigh_change(small: Floats, output: Floats) -> tuple[Floats, Floats]:
    """Return the output without noise where the image was kept, (h, w, C), and the weight q, (h, w, 1)."""
    change = output - small
    mean = _box_mean(change)
    square = _box_mean(np.square(change).mean(axis=2, keepdims=True))
    variance = _box_mean(np.square(change - mean).mean(axis=2, keepdims=True))
    is_small = 1 / (1 + (square / MAX_VARIANCE) ** (SHARPNESS / 2))
    weight = 1 / (1 + (variance / MAX_VARIANCE) ** SHARPNESS + (square / MAX_CHANGE) ** SHARPNESS)
    return output - is_small * (change - mean), np.asarray(weight, np.float32)


def _box_mean(values: Floats) -> Floats:
    """Return the mean of the window around each pixel, (h, w, C)."""
    side = 2 * RADIUS + 1
    means = cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(means, np.float32).reshape(values.shape)


def _enlarge_rows(layers: Floats, size: tuple[int, int], top: int, rows: int) -> Floats:
    """Enlarge (h, w, C) to `size` bicubically; return its rows `top` to `top + rows`."""
    height, width = size
    y = (np.arange(top, top + rows, dtype=np.float64) + 0.5) * len(layers) / height - 0.5
    first = np.floor(y).astype(np.int64) - 1
    taps = [np.clip(first + tap, 0, len(layers) - 1) for tap in range(4)]
    weights = _cubic_weights((y - np.floor(y)).astype(np.float32))
    tall = sum(layers[tap] * weight[:, None, None] for tap, weight in zip(taps, weights, strict=True))
    large = [
        cv2.resize(np.ascontiguousarray(layer), (width, rows), interpolation=cv2.INTER_CUBIC)
        for layer in np.moveaxis(np.asarray(tall), 2, 0)
    ]
    return np.dstack(large).astype(np.float32, copy=False)


def _cubic_weights(t: Floats) -> list[Floats]:
    """Return the four weights of cubic convolution with a = -0.75, as in OpenCV, at the fractions t."""
    a = np.float32(-0.75)

    def near(x: Floats) -> Floats:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Floats) -> Floats:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
