"""One image: its colours and its alpha, ready for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.errors import DataError

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """An upright image, in sRGB.

    Attributes:
        pixels: (H, W, 1) gray or (H, W, 3) colour; uint8, uint16, or float32 in [0, 1].
        alpha: (H, W) of the same kind, or None where the image is opaque.
        hole: (H, W) bool, true where a model that repairs is to fill it; or None.
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
        """Return the value of full brightness."""
        return WHITE[str(self.pixels.dtype)]

    @property
    def deep(self) -> bool:
        """Return whether the image has more than 8 bits a channel."""
        return self.pixels.dtype != np.uint8

    def rgb(self) -> Array:
        """Return the colours as (H, W, 3): gray is repeated."""
        return self.pixels if self.pixels.shape[2] == 3 else np.repeat(self.pixels, 3, axis=2)

    def to_bit_depth(self, kind: type[np.uint8] | type[np.uint16]) -> Frame:
        """Return the same image with 8 or 16 bits a channel."""
        if self.pixels.dtype == kind:
            return self
        factor = WHITE[np.dtype(kind).name] / self.white

        def convert(values: Array) -> Array:
            converted: Array = np.rint(values.astype(np.float32) * np.float32(factor)).astype(kind)
            return converted

        return Frame(pixels=convert(self.pixels), alpha=None if self.alpha is None else convert(self.alpha))

    def with_colors(self, pixels: Array) -> Frame:
        """Return the image with these colours in floats, alpha too; the image itself, if they are its own."""
        if pixels is self.pixels:
            return self
        alpha = None if self.alpha is None else (self.alpha / self.white).astype(np.float32)
        return Frame(pixels=pixels, alpha=alpha)

    def flatten_on_white(self) -> Frame:
        """Blend the image onto white, so that it has no alpha."""
        if self.alpha is None:
            return self
        opaque = (self.alpha / self.white)[..., None].astype(np.float32)
        blended = self.pixels * opaque + self.white * (1 - opaque)
        if self.pixels.dtype != np.float32:
            blended = np.rint(blended)
        return Frame(pixels=blended.astype(self.pixels.dtype))


def from_planes(planes: Array) -> Frame:
    """Split (H, W, 1 to 4) into colours and, of 2 or 4 planes, alpha."""
    channels = planes.shape[2]
    colors = planes[..., : channels - (channels in (2, 4))]
    alpha = planes[..., -1] if channels in (2, 4) else None
    return Frame(pixels=np.ascontiguousarray(colors), alpha=alpha)


def from_pil(image: Image.Image) -> Frame:
    """Convert a PIL image of any mode that has an agreed range, neither turned nor colour-managed.

    Raises:
        DataError: the values have no agreed range (32-bit integers above 65535, 32-bit float).
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Frame(pixels=_sixteen_bits(np.asarray(image))[..., None])
    if image.mode == "F":
        raise DataError("32-bit float pixels have no agreed range here: convert to 8 or 16 bits")
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
    """Convert an image to a mode, without the copy that Pillow's `convert` makes if it has that mode."""
    return image if image.mode == mode else image.convert(mode)


def _sixteen_bits(values: Array) -> Array:
    """Convert integers to uint16, and refuse those that do not fit."""
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise DataError("whole numbers outside 0..65535 have no agreed range: convert to 16 bits")
    return values.astype(np.uint16)


def to_pil(frame: Frame) -> Image.Image:
    """Convert an image to a PIL image: L, LA, RGB or RGBA; I;16 for 16-bit gray without alpha.

    PIL has no 16-bit colour: such an image comes back with 8 bits a channel.
    """
    if frame.pixels.dtype == np.uint16 and frame.pixels.shape[2] == 1 and frame.alpha is None:
        return Image.fromarray(frame.pixels[..., 0])
    frame = frame.to_bit_depth(np.uint8)
    planes = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
    return Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
