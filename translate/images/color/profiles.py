"""Colour management: convert between the colours of a file's ICC profile and sRGB.

8-bit images go through LittleCMS, which knows every type of profile, but through Pillow only at 8 bits per
channel. Images of a higher bit depth (16-bit integers and floats) are converted here, for matrix/TRC profiles
and gray profiles of one curve (ICC.1:2022, 10.6, 10.18): those of cameras, screens and editing spaces. A
profile that cannot be used is kept in the file, and the pixels are treated as sRGB.
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

CHUNK_ROWS = 256  # The number of image rows that are converted at once.
INVERSE_SAMPLES = 65536  # The number of samples of the inverse of a curve.
MAX_TAGS = 100  # A damaged profile may announce billions of tags; real ones have about 20.
# A profile whose colours differ from sRGB by less than half a level of 8 bits is treated as sRGB.
MAX_SRGB_DIFFERENCE = 0.5 / 255
# The matrix of sRGB's own ICC profile, from linear sRGB to CIE XYZ relative to the white point D50 (the PCS).
SRGB_TO_XYZ = np.array(
    [[0.4360657, 0.3851515, 0.1430784], [0.2224932, 0.7168870, 0.0606169], [0.0139160, 0.0970764, 0.7140961]]
)
Curve = Callable[[Array], Array]


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert an 8-bit image of mode L, RGB, CMYK or LAB by its ICC profile to sRGB, as L or RGB."""
    mode = "L" if image.mode == "L" else "RGB"
    transform = _build_transform(icc, image.mode) if icc or image.mode == "LAB" else None
    if transform is None:
        return convert_mode(image, mode)
    return convert_mode(_apply(transform, image), mode)


def from_srgb(image: Image.Image, icc: bytes | None, mode: str) -> Image.Image:
    """Convert an L or RGB image in sRGB to a mode and the colours of an ICC profile."""
    transform = _build_transform(icc, mode, inverse=True) if icc or mode == "LAB" else None
    if transform is None:
        return convert_mode(image, mode)
    return _apply(transform, convert_mode(image, "RGB"))


def _apply(transform: Any, image: Image.Image) -> Image.Image:
    """Convert an image with a transform of LittleCMS."""
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # It is None only if inPlace=True.
    # Pillow attaches the profile of sRGB, which every encoder would write to the file.
    converted.info.pop("icc_profile", None)
    return converted


@functools.lru_cache(maxsize=16)
def _build_transform(icc: bytes | None, mode: str, *, inverse: bool = False) -> Any:
    """Build the transform of LittleCMS from an ICC profile to sRGB, or from sRGB to the profile (`inverse`).

    Args:
        icc: the profile; None for CIE Lab.
        mode: the mode of the image in the colours of the profile.

    Returns:
        None if the profile is damaged, is for another mode, or has the same colours as sRGB.
    """
    srgb = ImageCms.createProfile("sRGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("LAB")
        source, target = (srgb, profile) if inverse else (profile, srgb)
        modes = ("RGB", mode) if inverse else (mode, "RGB")
        transform = ImageCms.buildTransform(source, target, *modes)
        return None if mode == "RGB" and _is_identity(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_identity(transform: Any) -> bool:
    """Return whether a transform from RGB to RGB changes no colour by more than a rounding error."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    out = np.asarray(_apply(transform, Image.fromarray(cube)))
    return int(np.abs(out.astype(int) - cube).max()) <= 1


def high_bit_depth_frame_to_srgb(frame: Frame, icc: bytes | None) -> Frame:
    """Convert a frame of high bit depth from the colours of an ICC profile to sRGB, in float32.

    8-bit frames are returned as they are: they were converted before. A frame whose colours do not change is
    returned as it is, too.
    """
    if not frame.high_bit_depth:
        return frame
    return frame.replace_colors(high_bit_depth_to_srgb(frame.pixels, icc))


def high_bit_depth_frame_from_srgb(frame: Frame, icc: bytes | None) -> Frame:
    """Convert a frame of high bit depth from sRGB to the colours of an ICC profile, in float32.

    8-bit frames are returned as they are: they are converted when they are encoded.
    """
    if not frame.high_bit_depth:
        return frame
    return frame.replace_colors(high_bit_depth_from_srgb(frame.pixels, icc))


def high_bit_depth_to_srgb(pixels: Array, icc: bytes | None) -> Array:
    """Convert (H, W, 1 or 3) uint16 or float32 from the colours of an ICC profile to sRGB, clipped to [0, 1].

    Returns:
        float32 in [0, 1], precise enough that converting back restores every 16-bit level; the input itself
        if the profile does not change it.
    """
    profile = _parse_profile(icc, pixels.shape[2]) if icc else None
    return pixels if profile is None else _convert_in_chunks(pixels, profile.to_srgb)


def high_bit_depth_from_srgb(pixels: Array, icc: bytes | None) -> Array:
    """Convert sRGB to the colours of an ICC profile, in float32: invert `high_bit_depth_to_srgb`."""
    profile = _parse_profile(icc, pixels.shape[2]) if icc else None
    return pixels if profile is None else _convert_in_chunks(pixels, profile.from_srgb)


def _convert_in_chunks(pixels: Array, convert: Callable[[Array], Array]) -> Array:
    """Convert an image to float32 some rows at a time, which saves the memory of a float64 copy."""
    white = WHITE[str(pixels.dtype)]
    out = np.empty(pixels.shape, np.float32)
    for top in range(0, len(pixels), CHUNK_ROWS):
        rows = slice(top, top + CHUNK_ROWS)
        out[rows] = convert(pixels[rows].astype(np.float64) / white)
    return out


@dataclass(frozen=True)
class MatrixTRCProfile:
    """A matrix/TRC profile: an ICC profile of tone reproduction curves and a matrix.

    Attributes:
        curves: one function per channel, which maps encoded values in [0, 1] to linear light.
        inverses: the inverse of each curve.
        matrix: maps the profile's linear RGB to linear sRGB.
    """

    curves: list[Curve]
    inverses: list[Curve]
    matrix: Array

    def to_srgb(self, values: Array) -> Array:
        """Convert (..., C) in [0, 1] to sRGB (..., C) in [0, 1]."""
        linear = np.stack([curve(values[..., n]) for n, curve in enumerate(self.curves)], axis=-1)
        return _linear_to_srgb((linear @ self.matrix.T).clip(0, 1))

    def from_srgb(self, values: Array) -> Array:
        """Convert sRGB (..., C) in [0, 1] to (..., C) in [0, 1]."""
        linear = (_srgb_to_linear(values) @ np.linalg.inv(self.matrix).T).clip(0, 1)
        return np.stack([curve(linear[..., n]) for n, curve in enumerate(self.inverses)], axis=-1)


def _srgb_to_linear(values: Array) -> Array:
    """Convert sRGB to linear light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(linear: Array) -> Array:
    """Convert linear light to sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@functools.lru_cache(maxsize=8)
def _parse_profile(icc: bytes, channels: int) -> MatrixTRCProfile | None:
    """Parse the curves and the matrix of an ICC profile for gray (1 channel) or RGB (3 channels).

    Returns:
        None if it has no curves and matrix (a lookup-table profile), is damaged, or has the colours of sRGB.
    """
    try:
        with np.errstate(all="raise", under="ignore"):
            profile = _parse_tags(_read_tags(icc, b"GRAY" if channels == 1 else b"RGB "), channels)
            grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * channels, indexing="ij"), axis=-1)
            srgb = profile.to_srgb(grid)
            restored = profile.from_srgb(srgb)
    except (KeyError, struct.error, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    if not (np.isfinite(srgb).all() and np.isfinite(restored).all()):
        return None
    return None if np.abs(srgb - grid).max() < MAX_SRGB_DIFFERENCE else profile


def _parse_tags(tags: dict[bytes, bytes], channels: int) -> MatrixTRCProfile:
    """Parse the tags of a profile for gray (1 channel) or RGB (3 channels)."""
    if channels == 1:
        curve = _parse_curve(tags[b"kTRC"])
        return MatrixTRCProfile([curve], [_invert(curve)], np.ones((1, 1)))
    curves = [_parse_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    to_xyz = np.array([_parse_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    return MatrixTRCProfile(curves, [_invert(c) for c in curves], np.linalg.inv(SRGB_TO_XYZ) @ to_xyz)


def _read_tags(icc: bytes, color_space: bytes) -> dict[bytes, bytes]:
    """Return the tags of a profile by their names.

    Raises:
        ValueError: the profile is for another colour space.
    """
    if icc[16:20] != color_space:
        raise ValueError("a profile of another colour space")
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * n) for n in range(min(count, MAX_TAGS))]
    return {name: icc[start : start + size] for name, start, size in entries}


def _parse_xyz(tag: bytes) -> list[float]:
    """Parse a tag of CIE XYZ values, which are fixed-point numbers (s15Fixed16)."""
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _parse_curve(tag: bytes) -> Curve:
    """Parse a tone curve: sampled, a power (gamma), or parametric (function types 0 to 4)."""
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
        raise ValueError("a curve of unknown type")
    (function_type,) = struct.unpack_from(">H", tag, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[function_type]
    return _parametric_curve(
        function_type, [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    )


def _parametric_curve(function_type: int, values: list[float]) -> Curve:
    """Return the curve y = (a x + b)^g + e for x >= d, and y = c x + f below (ICC.1:2022, table 68)."""
    g, a, b, c, d, e, f = values[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if function_type in (1, 2):
        a, b = values[1:3]
        d = -b / a
        e = f = values[3] if function_type == 2 else 0.0
    elif function_type in (3, 4):
        a, b, c, d = values[1:5]
        e, f = values[5:7] if function_type == 4 else (0.0, 0.0)
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _invert(curve: Curve) -> Curve:
    """Return the inverse of a non-decreasing curve, by interpolation between dense samples."""
    x = np.linspace(0, 1, INVERSE_SAMPLES)
    y = np.maximum.accumulate(curve(x))
    return lambda value: np.interp(value, y, x)
