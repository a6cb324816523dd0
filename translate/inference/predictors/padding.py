"""Pad an image to the size multiple of a network, and convert it to the network's channels."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from translate.images import Array, Frame, to_pixels, to_tensor
from translate.inference.predictors.tile_blending import Window, mirror_indices

MIN_SIDE = 8  # In pixels; with fewer, the reflection padding of a network's layers has nothing to reflect.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L


class PaddedImage:
    """An image that is padded to a multiple, by mirroring it at its right and its lower border.

    Args:
        multiple: each side of the network's input must be a multiple of this, in pixels.
        channels: the number of input channels of the network, to which the image is converted: 1 for gray, 3
            for colour.

    Attributes:
        width, height: the size of the padded image, in pixels.
    """

    def __init__(self, frame: Frame, multiple: int, channels: int) -> None:
        self.frame, self.channels = frame, channels
        self.width, self.height = (-(-max(side, MIN_SIDE) // multiple) * multiple for side in frame.size)

    def crop(self, rows: Window, columns: Window) -> Tensor:
        """Return a tile of the padded image, (1, C, h, w) in [-1, 1]."""
        width, height = self.frame.size
        y = mirror_indices(height, self.height)[rows.start : rows.stop]
        x = mirror_indices(width, self.width)[columns.start : columns.stop]
        tile = Frame(pixels=self.frame.pixels[np.ix_(y, x)])
        return to_tensor(tile.rgb() if self.channels == 3 else luminance(tile))

    def to_tensor(self) -> Tensor:
        """Return the padded image, (1, C, H, W) in [-1, 1]."""
        return self.crop(Window(0, self.height, 0, self.height), Window(0, self.width, 0, self.width))

    def to_frame(self, output: Tensor) -> Frame:
        """Crop a network's output for the padded image, (C, H, W), to the image's own size.

        The frame has the image's bit depth and its alpha.
        """
        width, height = self.frame.size
        pixels = to_pixels(output[:, :height, :width], self.frame.pixels.dtype.type)
        return Frame(pixels=pixels, alpha=self.frame.alpha)


def luminance(frame: Frame) -> Array:
    """Return an image in gray, (H, W, 1) of its own bit depth."""
    if frame.pixels.shape[2] == 1:
        return frame.pixels
    gray = frame.pixels.astype(np.float32) @ LUMINANCE
    if frame.pixels.dtype != np.float32:
        gray = np.rint(gray)
    return gray.astype(frame.pixels.dtype)[..., None]
