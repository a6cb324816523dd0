"""Bring an image to the size and the channels that a network takes."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from translate.images import Array, Frame, to_pixels, to_tensor
from translate.inference.predictors.tiles import Span, mirror_indices

MIN_SIDE = 8  # the least in which a network has anything to mirror itself
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L


class Canvas:
    """An image, mirrored beyond its right and lower edge to the network's multiple.

    Args:
        multiple: each side of the canvas is one of its multiples, in pixels.
        channels: 1 for gray, 3 for colour, whatever the image has.
    """

    def __init__(self, frame: Frame, multiple: int, channels: int) -> None:
        self.frame, self.channels = frame, channels
        self.width, self.height = (-(-max(side, MIN_SIDE) // multiple) * multiple for side in frame.size)

    def window(self, rows: Span, columns: Span) -> Tensor:
        """Return a part of the canvas, (1, C, h, w) in [-1, 1]."""
        width, height = self.frame.size
        down = mirror_indices(height, self.height)[rows.start : rows.stop]
        across = mirror_indices(width, self.width)[columns.start : columns.stop]
        part = Frame(pixels=self.frame.pixels[np.ix_(down, across)])
        return to_tensor(part.rgb() if self.channels == 3 else luminance(part))

    def whole(self) -> Tensor:
        """Return all of the canvas, (1, C, H, W) in [-1, 1]."""
        return self.window(Span(0, self.height, 0, self.height), Span(0, self.width, 0, self.width))

    def to_frame(self, out: Tensor) -> Frame:
        """Crop the answer for the whole canvas, (C, H, W), to the image; depth and alpha are the image's."""
        width, height = self.frame.size
        pixels = to_pixels(out[:, :height, :width], self.frame.pixels.dtype.type)
        return Frame(pixels=pixels, alpha=self.frame.alpha)


def luminance(frame: Frame) -> Array:
    """Return an image in gray, (H, W, 1)."""
    if frame.pixels.shape[2] == 1:
        return frame.pixels
    gray = frame.pixels.astype(np.float32) @ LUMINANCE
    if frame.pixels.dtype != np.float32:
        gray = np.rint(gray)
    return gray.astype(frame.pixels.dtype)[..., None]
