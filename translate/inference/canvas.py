"""A picture as a network sees it."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from translate.images import Array, Picture, to_pixels, to_tensor
from translate.inference.tiles import Span, mirrored

LEAST_SIDE = 8  # the least in which a network has anything to mirror itself
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L


class Canvas:
    """A picture, mirrored beyond its right and lower edge to the network's multiple.

    Args:
        multiple: each side of the canvas is one of its multiples, in pixels.
        channels: 1 for gray, 3 for colour, whatever the picture has.
    """

    def __init__(self, picture: Picture, multiple: int, channels: int) -> None:
        self.picture, self.channels = picture, channels
        self.width, self.height = (-(-max(side, LEAST_SIDE) // multiple) * multiple for side in picture.size)

    def window(self, rows: Span, columns: Span) -> Tensor:
        """A part of the canvas, (1, C, h, w) in [-1, 1]."""
        width, height = self.picture.size
        down = mirrored(height, self.height)[rows.start : rows.stop]
        across = mirrored(width, self.width)[columns.start : columns.stop]
        part = Picture(pixels=self.picture.pixels[np.ix_(down, across)])
        return to_tensor(part.rgb() if self.channels == 3 else luminance(part))

    def whole(self) -> Tensor:
        """(1, C, H, W) in [-1, 1]."""
        return self.window(Span(0, self.height, 0, self.height), Span(0, self.width, 0, self.width))

    def finished(self, out: Tensor) -> Picture:
        """The network's answer for the whole canvas, (C, H, W), with the picture's depth and alpha."""
        width, height = self.picture.size
        pixels = to_pixels(out[:, :height, :width], self.picture.pixels.dtype.type)
        return Picture(pixels=pixels, alpha=self.picture.alpha)


def luminance(picture: Picture) -> Array:
    """(H, W, 1): a picture in gray."""
    if picture.pixels.shape[2] == 1:
        return picture.pixels
    gray = picture.pixels.astype(np.float32) @ LUMINANCE
    if picture.pixels.dtype != np.float32:
        gray = np.rint(gray)
    return gray.astype(picture.pixels.dtype)[..., None]
