"""Helpers for the tests of images: sample pixels, files and ICC profiles."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translate.images import ImageFile, read, write

ORIENTATION = 0x0112
# For each EXIF orientation, a function from an upright image, (H, W) or (H, W, C), to the stored pixels.
STORED_BY_ORIENTATION = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def noise(height: int = 6, width: int = 9, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def color_gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Return a smooth RGB image, which lossy formats preserve well."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows * 4 % 256, columns * 3 % 256, (rows + columns) * 2 % 256]).astype(np.uint8)


def ramps_16bit(channels: int) -> np.ndarray:
    """Return (256, 256, C) uint16: each channel has all 65536 levels once, in an order of its own."""
    levels = np.arange(65536).reshape(256, 256)
    orders = [levels, levels[::-1], levels.T, levels[:, ::-1].T]
    return np.dstack(orders[:channels]).astype(np.uint16)


def save_image(image: Image.Image, path: Path, **settings: Any) -> Path:
    image.save(path, **settings)
    return path


def array_to_pil(array: np.ndarray) -> Image.Image:
    """Convert (H, W, C) uint8 to a PIL image of mode L, LA, RGB or RGBA."""
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def round_trip(path: Path, **settings: Any) -> tuple[ImageFile, ImageFile, Path]:
    """Read a file, write it unchanged and read that copy; return the file, the copy and the copy's path."""
    file = read(path, **settings)
    out = path.parent / "out" / path.name
    write(file, out)
    return file, read(out, keep_metadata=True), out


def frame_array(file: ImageFile, number: int = 0) -> np.ndarray:
    """Return a frame as (H, W, C), with alpha as the last channel."""
    frame = file.frames[number]
    return frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def write_16bit_png(path: Path, array: np.ndarray, *chunks: bytes) -> Path:
    """Write (H, W, 1 to 4) uint16 as a PNG of gray, gray and alpha, RGB or RGBA."""
    height, width, channels = array.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))
    rows = np.insert(array.astype(">u2").reshape(height, -1).view(np.uint8), 0, 0, axis=1)
    pixels = png_chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b""))
    return path


def icc_chunk(icc: bytes) -> bytes:
    return png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))


# The primaries of Adobe RGB (1998) and the white point, under D50.
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
WHITE_POINT = (0.9642, 1.0, 0.8249)


def gamma_curve(power: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(power * 256)) + b"\0\0"


def sampled_curve(values: np.ndarray) -> bytes:
    """Return a tone curve given by samples in [0, 1]."""
    return b"curv" + struct.pack(">II", 0, len(values)) + np.rint(values * 65535).astype(">u2").tobytes()


def parametric_curve(kind: int, *values: float) -> bytes:
    fixed = [round(value * 65536) for value in values]
    return b"para" + struct.pack(f">IHH{len(fixed)}i", 0, kind, 0, *fixed)


def rgb_profile(curve: bytes, primaries: tuple[tuple[float, ...], ...] = ADOBE_RGB) -> bytes:
    """Return an RGB profile of three tone curves and a matrix."""
    tags = {name: _xyz(values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray_profile(curve: bytes) -> bytes:
    return _profile(b"GRAY", {b"kTRC": curve})


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65536) for value in values))


def _profile(colors: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(WHITE_POINT), **tags}
    start = 132 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(tag))
        content += tag + b"\0" * (-len(tag) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(content), b"lcms", 0x04200000, b"mntr", colors, b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">3i", *(round(value * 65536) for value in WHITE_POINT))
    return head.ljust(128, b"\0") + table + content
