"""What the tests of images share: pixels, files and colour profiles made by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translate.images import ImageFile, read, write

ORIENTATION = 0x0112
# How a camera that notes this orientation has stored an upright image, (H, W) or (H, W, C).
STORED = {
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


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth RGB image, which lossy formats keep well."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows * 4 % 256, columns * 3 % 256, (rows + columns) * 2 % 256]).astype(np.uint8)


def ramps(channels: int) -> np.ndarray:
    """(256, 256, C) uint16: each channel has each of the 65536 levels once, all in another order."""
    levels = np.arange(65536).reshape(256, 256)
    orders = [levels, levels[::-1], levels.T, levels[:, ::-1].T]
    return np.dstack(orders[:channels]).astype(np.uint16)


def saved(image: Image.Image, path: Path, **settings: Any) -> Path:
    image.save(path, **settings)
    return path


def image_of(planes: np.ndarray) -> Image.Image:
    """(H, W, C) uint8 as an image of mode L, LA, RGB or RGBA."""
    return Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)


def through(path: Path, **settings: Any) -> tuple[ImageFile, ImageFile, Path]:
    """What is read, what is read of it after it was written unchanged, and where that was."""
    file = read(path, **settings)
    out = path.parent / "out" / path.name
    write(file, out)
    return file, read(out, keep_metadata=True), out


def planes_of(file: ImageFile, number: int = 0) -> np.ndarray:
    """(H, W, C) with alpha as the last."""
    frame = file.frames[number]
    return frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def deep_png(path: Path, planes: np.ndarray, *chunks: bytes) -> Path:
    """Write (H, W, 1 to 4) uint16 as gray, gray and alpha, RGB or RGBA."""
    height, width, channels = planes.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    rows = np.insert(planes.astype(">u2").reshape(height, -1).view(np.uint8), 0, 0, axis=1)
    pixels = chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b""))
    return path


def profile_chunk(icc: bytes) -> bytes:
    return chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))


# The primaries of Adobe RGB (1998), under D50, and white.
WIDE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
WHITE = (0.9642, 1.0, 0.8249)


def gamma(power: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(power * 256)) + b"\0\0"


def sampled(values: np.ndarray) -> bytes:
    """A curve by its samples in [0, 1]."""
    return b"curv" + struct.pack(">II", 0, len(values)) + np.rint(values * 65535).astype(">u2").tobytes()


def parametric(kind: int, *values: float) -> bytes:
    fixed = [round(value * 65536) for value in values]
    return b"para" + struct.pack(f">IHH{len(fixed)}i", 0, kind, 0, *fixed)


def profile(curve: bytes, primaries: tuple[tuple[float, ...], ...] = WIDE) -> bytes:
    """An ICC profile of three curves and a matrix."""
    tags = {name: _xyz(values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray_profile(curve: bytes) -> bytes:
    return _profile(b"GRAY", {b"kTRC": curve})


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65536) for value in values))


def _profile(colors: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(WHITE), **tags}
    start = 132 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(tag))
        content += tag + b"\0" * (-len(tag) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(content), b"lcms", 0x04200000, b"mntr", colors, b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">3i", *(round(value * 65536) for value in WHITE))
    return head.ljust(128, b"\0") + table + content
