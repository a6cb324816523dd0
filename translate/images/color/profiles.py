"""Convert between the colours of a file and sRGB, by the file's own ICC profile.

Images of 8 bits go through LittleCMS, which knows every kind of profile but has, in Pillow,
8 bits a channel only. Deep images are converted here, for the profiles that are three curves
and a matrix or one curve for gray (ICC.1:2022, 10.6, 10.18): those of cameras, screens and editing
spaces. A profile that cannot be used is kept in the file, and its numbers are taken for sRGB.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from translate.images.frame import WHITE, Array, Frame, convert_mode

ROWS = 256  # of a deep image converted at once
CURVE = 65536  # samples of a curve's inverse
# Linear sRGB to CIE XYZ under D50, the matrix of its own ICC profile.
SRGB_TO_XYZ = np.array(
    [[0.4360657, 0.3851515, 0.1430784], [0.2224932, 0.7168870, 0.0606169], [0.0139160, 0.0970764, 0.7140961]]
)
Curve = Callable[[Array], Array]


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert an 8-bit image of mode L, RGB, CMYK or LAB to sRGB, as L or RGB."""
    target = "L" if image.mode == "L" else "RGB"
    transform = _transform(icc, image.mode, True) if icc or image.mode == "LAB" else None
    if transform is None:
        return convert_mode(image, target)
    return convert_mode(_apply(transform, image), target)


def from_srgb(image: Image.Image, icc: bytes | None, mode: str) -> Image.Image:
    """Convert an L or RGB image in sRGB to `mode` and the colours of the profile."""
    transform = _transform(icc, mode, False) if icc or mode == "LAB" else None
    if transform is None:
        return convert_mode(image, mode)
    return _apply(transform, convert_mode(image, "RGB"))


def _apply(transform: Any, image: Image.Image) -> Image.Image:
    """Convert an image by LittleCMS's transform."""
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it is None for transforms in place only
    converted.info.pop("icc_profile", None)  # which is sRGB's, and every writer would put it into the file
    return converted


@functools.lru_cache(maxsize=16)
def _transform(icc: bytes | None, mode: str, to: bool) -> Any:
    """Build LittleCMS's transform; None where the profile changes nothing, fits not, or is damaged."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("LAB")
        one, other = (own, srgb) if to else (srgb, own)
        modes = (mode, "RGB") if to else ("RGB", mode)
        transform = ImageCms.buildTransform(one, other, *modes)
        return None if mode == "RGB" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: Any) -> bool:
    """Return whether a transform is sRGB to sRGB, up to rounding."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    out = np.asarray(_apply(transform, Image.fromarray(cube)))
    return int(np.abs(out.astype(int) - cube).max()) <= 1


def frame_to_srgb(frame: Frame, icc: bytes | None) -> Frame:
    """Convert a deep image from the profile's colours to sRGB: in floats, where that changes anything.

    An image of 8 bits a channel stays as it is.
    """
    return frame.with_colors(deep_to_srgb(frame.pixels, icc)) if frame.deep else frame


def frame_from_srgb(frame: Frame, icc: bytes | None) -> Frame:
    """Convert a deep image in sRGB to the profile's colours, as `frame_to_srgb` does the other way."""
    return frame.with_colors(deep_from_srgb(frame.pixels, icc)) if frame.deep else frame


def deep_to_srgb(pixels: Array, icc: bytes | None) -> Array:
    """Convert (H, W, 1 or 3) uint16 or float32 from the profile's colours to sRGB, clipped to its range.

    Returns:
        float32 in [0, 1], so that the way back finds each of 65536 levels; `pixels` themselves where
        the profile changes nothing.
    """
    profile = _curves_profile(icc, pixels.shape[2]) if icc else None
    return pixels if profile is None else _by_rows(pixels, profile.to_srgb)


def deep_from_srgb(pixels: Array, icc: bytes | None) -> Array:
    """Convert as `deep_to_srgb`, the other way, to float32."""
    profile = _curves_profile(icc, pixels.shape[2]) if icc else None
    return pixels if profile is None else _by_rows(pixels, profile.from_srgb)


def _by_rows(pixels: Array, convert: Curve) -> Array:
    """Convert to float32 some rows at a time, so that the float64 of a whole image is never in memory."""
    white = WHITE[str(pixels.dtype)]
    out = np.empty(pixels.shape, np.float32)
    for top in range(0, len(pixels), ROWS):
        out[top : top + ROWS] = convert(pixels[top : top + ROWS].astype(np.float64) / white)
    return out


@dataclass(frozen=True)
class CurvesProfile:
    """A profile that is a curve for each channel and a matrix from linear light to that of sRGB."""

    curves: list[Curve]
    inverses: list[Curve]
    matrix: Array

    def to_srgb(self, values: Array) -> Array:
        """Convert (..., C) in [0, 1] to (..., C) sRGB in [0, 1]."""
        linear = np.stack([curve(values[..., n]) for n, curve in enumerate(self.curves)], axis=-1)
        return _encode((linear @ self.matrix.T).clip(0, 1))

    def from_srgb(self, values: Array) -> Array:
        """Convert (..., C) sRGB in [0, 1] to (..., C) in [0, 1]."""
        linear = (_decode(values) @ np.linalg.inv(self.matrix).T).clip(0, 1)
        return np.stack([curve(linear[..., n]) for n, curve in enumerate(self.inverses)], axis=-1)


def _decode(values: Array) -> Array:
    """Convert sRGB to linear light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _encode(linear: Array) -> Array:
    """Convert linear light to sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@functools.lru_cache(maxsize=8)
def _curves_profile(icc: bytes, channels: int) -> CurvesProfile | None:
    """Return the profile's curves and matrix; None where it has none, is damaged, or is sRGB already."""
    try:
        with np.errstate(all="raise", under="ignore"):
            profile = _parse(_tags(icc, b"GRAY" if channels == 1 else b"RGB "), channels)
            grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * channels, indexing="ij"), axis=-1)
            there = profile.to_srgb(grid)
            back = profile.from_srgb(there)
    except (KeyError, struct.error, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    if not (np.isfinite(there).all() and np.isfinite(back).all()):
        return None
    return None if np.abs(there - grid).max() < 0.5 / 255 else profile


def _parse(tags: dict[bytes, bytes], channels: int) -> CurvesProfile:
    """Parse the tags of a profile for gray (1 channel) or RGB (3)."""
    if channels == 1:
        curve = _curve(tags[b"kTRC"])
        return CurvesProfile([curve], [_inverse(curve)], np.ones((1, 1)))
    curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    to_xyz = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    return CurvesProfile(curves, [_inverse(c) for c in curves], np.linalg.inv(SRGB_TO_XYZ) @ to_xyz)


def _tags(icc: bytes, colors: bytes) -> dict[bytes, bytes]:
    """Return the tags of a profile by their names, if it is one of these colours.

    Raises:
        ValueError: it is not.
    """
    if icc[16:20] != colors:
        raise ValueError("a profile of other colours")
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * n) for n in range(min(count, 100))]
    return {name: icc[start : start + size] for name, start, size in entries}


def _xyz(tag: bytes) -> list[float]:
    """Parse a tag of CIE XYZ values, which are fixed-point numbers of 16 bits each side."""
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Curve:
    """Parse a tone curve: sampled, a power, or one of the five parametric ones."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda x: x
        table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            gamma = table[0] / 256
            return lambda x: x**gamma
        return lambda x: np.interp(x, np.linspace(0, 1, count), table / 65535)
    if tag[:4] != b"para":
        raise ValueError("a curve of unknown kind")
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
    return _parametric(kind, [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)])


def _parametric(kind: int, values: list[float]) -> Curve:
    """Return the curve y = (a x + b)^g + e from x = d upwards, y = c x + f below (ICC.1:2022, table 68)."""
    g, a, b, c, d, e, f = values[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind in (1, 2):
        a, b = values[1:3]
        d = -b / a
        e = f = values[3] if kind == 2 else 0.0
    elif kind in (3, 4):
        a, b, c, d = values[1:5]
        e, f = values[5:7] if kind == 4 else (0.0, 0.0)
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _inverse(curve: Curve) -> Curve:
    """Return the inverse of a rising curve, by interpolation between dense samples."""
    x = np.linspace(0, 1, CURVE)
    y = np.maximum.accumulate(curve(x))
    return lambda value: np.interp(value, y, x)
