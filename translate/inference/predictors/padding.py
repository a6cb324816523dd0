"""Pad an image to the size multiple of a network, and convert it to the network's channels."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from translate.images import Array, Frame, to_pixels, to_tensor
from translate.inference.predictors.tile_blending import Window, mirror_indices

MIN_SIDE = 8  # In pixels; with fewer, the reflection padding of a network's layers has nothing to reflect.


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
        return to_tensor(self._crop_pixels(rows, columns))

    def _crop_pixels(self, rows: Window, columns: Window) -> Array:
        width, height = self.frame.size
        if rows.stop <= height and columns.stop <= width:
            pixels = self.frame.pixels[rows.start : rows.stop, columns.start : columns.stop]
        else:
            y = mirror_indices(height, self.height)[rows.start : rows.stop]
            x = mirror_indices(width, self.width)[columns.start : columns.stop]
            pixels = self.frame.pixels[np.ix_(y, x)]
        tile = Frame(pixels=pixels)
        return tile.rgb() if self.channels == 3 else tile.gray()

    def pixels(self) -> Array:
        """Return the padded image as it is stored, (H, W, C)."""
        return self._crop_pixels(Window(0, self.height, 0, self.height), Window(0, self.width, 0, self.width))

    def to_tensor(self) -> Tensor:
        """Return the padded image, (1, C, H, W) in [-1, 1]."""
        return to_tensor(self.pixels())

    def to_frame(self, output: Tensor) -> Frame:
        """Crop a network's output for the padded image, (C, H, W), to the image's own size and bit depth."""
        width, height = self.frame.size
        return Frame(pixels=to_pixels(output[:, :height, :width], self.frame.pixels.dtype.type))

    def crop_output(self, pixels: Array) -> Frame:
        """Crop the pixels of an output for the padded image, (H, W, C), to the image's own size."""
        width, height = self.frame.size
        # A copy, because the pixels of a whole batch lie in memory that the next batch is to use.
        return Frame(pixels=pixels[:height, :width].copy())
