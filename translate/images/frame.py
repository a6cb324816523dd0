"""The class of one image in memory, `Frame`: its colours, its alpha, and the hole that inpainting fills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.errors import DataError

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

# The value of full brightness, by the data type of the pixels.
WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L
STRIP_PIXELS = 2**20  # The pixels that are blended at once, to bound memory.


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One upright image, in sRGB or in the colours of its file's ICC profile (`ImageFile.in_profile_colors`).

    Attributes:
        pixels: (H, W, 1) gray or (H, W, 3) colour; uint8, uint16, or float32 in [0, 1].
        alpha: (H, W) opacity of the same data type; None if the image is opaque.
        hole: (H, W) bool, true where an inpainting model is to fill the image; or None.
    """

    pixels: Array
    alpha: Array | None = None
    hole: npt.NDArray[np.bool_] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height, in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def white(self) -> float:
        """Return the value of full brightness: 255, 65535 or 1."""
        return WHITE[str(self.pixels.dtype)]

    @property
    def high_bit_depth(self) -> bool:
        """Return whether the bit depth is more than 8 bits a channel: 16-bit integers or floats."""
        return self.pixels.dtype != np.uint8

    def rgb(self) -> Array:
        """Return the colours as (H, W, 3): a gray channel is repeated."""
        return self.pixels if self.pixels.shape[2] == 3 else np.repeat(self.pixels, 3, axis=2)

    def gray(self) -> Array:
        """Return the luminance as (H, W, 1), of the image's own data type."""
        if self.pixels.shape[2] == 1:
            return self.pixels
        return round_to((self.pixels.astype(np.float32) @ LUMINANCE)[..., None], self.pixels.dtype)

    def half(self, side: str) -> Frame:
        """Return the `left` or the `right` half of the image; an odd width leaves the last column out.

        An image of a single column is its own half.
        """
        width = max(1, self.size[0] // 2)
        start = 0 if side == "left" else min(width, self.size[0] - width)
        pixels, alpha, hole = (
            None if array is None else np.ascontiguousarray(array[:, start : start + width])
            for array in (self.pixels, self.alpha, self.hole)
        )
        assert pixels is not None
        return Frame(pixels=pixels, alpha=alpha, hole=hole)

    def to_bit_depth(self, dtype: type[np.uint8] | type[np.uint16]) -> Frame:
        """Convert the image to a bit depth of 8 or 16; a converted image has no hole."""
        if self.pixels.dtype == dtype:
            return self
        factor = WHITE[np.dtype(dtype).name] / self.white

        def convert(values: Array) -> Array:
            converted: Array = np.rint(values.astype(np.float32) * np.float32(factor)).astype(dtype)
            return converted

        return Frame(pixels=convert(self.pixels), alpha=None if self.alpha is None else convert(self.alpha))

    def replace_colors(self, pixels: Array) -> Frame:
        """Return an image with these float32 colours and its alpha in float32; itself if they are its own."""
        if pixels is self.pixels:
            return self
        alpha = None if self.alpha is None else (self.alpha / self.white).astype(np.float32)
        return Frame(pixels=pixels, alpha=alpha)

    def flatten_on_white(self) -> Frame:
        """Blend the image onto white, so that it has no alpha: what every network and every score sees."""
        if self.alpha is None:
            return self
        if self.alpha.min() == self.white:
            return Frame(pixels=self.pixels)
        blended = np.empty_like(self.pixels)
        for rows in self._strips():
            opacity = self._opacity(rows)
            strip = self.pixels[rows] * opacity + np.float32(self.white) * (1 - opacity)
            blended[rows] = round_to(strip, blended.dtype)
        return Frame(pixels=blended)

    def replace_flattened(self, pixels: Array) -> Frame:
        """Return an image with this one's alpha that looks on white as `pixels`, as far as its alpha allows.

        Where `pixels` equal the flattened image, the colours stay as they are, to the bit. Elsewhere their
        difference is divided by the opacity. Where the image is fully transparent, `pixels` are its colours.

        Args:
            pixels: what became of the flattened image: (H, W, 1 or 3), of its data type.
        """
        flat = self.flatten_on_white()
        if self.alpha is None or flat.pixels is self.pixels:
            return Frame(pixels=pixels, alpha=self.alpha)
        is_gray = pixels.shape[2] == 1
        before, colors = (frame.gray() if is_gray else frame.rgb() for frame in (flat, self))
        result = np.empty_like(pixels)
        for rows in self._strips():
            opacity = self._opacity(rows)
            change = pixels[rows].astype(np.float32) - before[rows]
            moved = colors[rows] + change / np.where(opacity == 0, 1, opacity)
            moved = round_to(moved.clip(0, self.white), result.dtype)
            moved = np.where(opacity == 0, pixels[rows], moved)
            result[rows] = np.where((change == 0).all(axis=2, keepdims=True), colors[rows], moved)
        return Frame(pixels=result, alpha=self.alpha)

    def _opacity(self, rows: slice) -> Array:
        """Return the alpha of some rows, (h, W, 1) float32 in [0, 1]."""
        assert self.alpha is not None
        opacity: Array = (self.alpha[rows] / self.white)[..., None].astype(np.float32)
        return opacity

    def _strips(self) -> Iterator[slice]:
        """Yield the rows of the image in strips."""
        height = max(1, STRIP_PIXELS // max(1, self.pixels.shape[1]))
        for top in range(0, len(self.pixels), height):
            yield slice(top, top + height)


def round_to(values: Array, dtype: np.dtype[Any]) -> Array:
    """Convert float32 values to a data type; integers are rounded."""
    return values.astype(dtype) if dtype == np.float32 else np.rint(values).astype(dtype)


def from_array(array: Array) -> Frame:
    """Split an (H, W, 1 to 4) array into colours and, if it has 2 or 4 channels, alpha."""
    channels = array.shape[2]
    colors = array[..., : channels - (channels in (2, 4))]
    alpha = array[..., -1] if channels in (2, 4) else None
    return Frame(pixels=np.ascontiguousarray(colors), alpha=alpha)


def from_pil(image: Image.Image) -> Frame:
    """Convert a PIL image to a frame; its EXIF orientation and its ICC profile are ignored.

    Raises:
        DataError: the value of white is unknown (integers outside 0..65535, 32-bit floats).
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Frame(pixels=_to_uint16(np.asarray(image))[..., None])
    if image.mode == "F":
        raise DataError("32-bit float pixels have no defined range: convert to 8 or 16 bits")
    if image.mode in ("LA", "La") or (image.mode in ("1", "L") and image.has_transparency_data):
        gray_alpha = np.asarray(image.convert("LA") if image.mode != "LA" else image)
        return Frame(pixels=gray_alpha[..., :1].copy(), alpha=gray_alpha[..., 1].copy())
    if image.has_transparency_data or image.mode in ("RGBa", "PA"):
        rgba = np.asarray(image.convert("RGBA"))
        return Frame(pixels=rgba[..., :3].copy(), alpha=rgba[..., 3].copy())
    if image.mode in ("1", "L"):
        return Frame(pixels=np.array(convert_mode(image, "L"))[..., None])
    return Frame(pixels=np.array(convert_mode(image, "RGB")))


def convert_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert a PIL image to a mode; one that has this mode is not copied, as Pillow's `convert` would."""
    return image if image.mode == mode else image.convert(mode)


def _to_uint16(values: Array) -> Array:
    """Convert integers to uint16.

    Raises:
        DataError: a value lies outside 0..65535.
    """
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise DataError(
            f"pixels reach from {values.min()} to {values.max()}, outside 0..65535: convert them to 16 bits"
        )
    return values.astype(np.uint16)


def to_pil(frame: Frame) -> Image.Image:
    """Convert a frame to a PIL image: L, LA, RGB or RGBA; I;16 for 16-bit gray without alpha.

    PIL has no 16-bit colour: such an image is reduced to 8 bits a channel.
    """
    if frame.pixels.dtype == np.uint16 and frame.pixels.shape[2] == 1 and frame.alpha is None:
        return Image.fromarray(frame.pixels[..., 0])
    frame = frame.to_bit_depth(np.uint8)
    array = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
