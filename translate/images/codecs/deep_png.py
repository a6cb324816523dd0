"""Read and write PNG, PGM and PPM of 16 bits a channel, which Pillow would cut to 8; write BMP with alpha."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translate.errors import DataError
from translate.images.codecs.metadata import orientation, turn_upright
from translate.images.color.profiles import frame_to_srgb
from translate.images.frame import Array, Frame, from_planes
from translate.images.image_file import ImageFile

PNG = b"\x89PNG\r\n\x1a\n"
PPM = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s")
GRAY_ALPHA = 4  # a colour type of PNG


def is_deep_png(head: bytes) -> bool:
    """Return whether a file with these first bytes is a PNG of 16 bits a channel."""
    return head.startswith(PNG) and len(head) > 25 and head[24] == 16


def is_deep_ppm(head: bytes) -> bool:
    """Return whether a file with these first bytes is a binary PGM or PPM of more than 8 bits a channel."""
    found = PPM.match(head)
    return found is not None and int(found[4]) > 255


def read_deep_file(
    image: Image.Image,
    path: Path,
    head: bytes,
    *,
    icc: bytes | None,
    metadata: dict[str, Any],
    native: bool,
) -> ImageFile:
    """Read a PNG, PGM or PPM of 16 bits a channel, upright and in sRGB.

    Args:
        image: the file as Pillow has opened it, for its format and its orientation.
        head: the file's first bytes.
        icc: the file's colour profile.
        metadata: what is written again.
        native: leave the colours as they are in the file.
    """
    kind, turn = str(image.format), orientation(image)
    transparent = image.info.get("transparency")
    stored = _read_png(path, head, transparent) if kind == "PNG" else _read_ppm(path, head)
    frame = frame_to_srgb(turn_upright(stored, turn), None if native else icc)
    mode = "L" if frame.pixels.shape[2] == 1 else "RGB"
    return ImageFile(format=kind, frames=[frame], mode=mode, icc=icc, native=native, metadata=metadata)


def _read_png(path: Path, head: bytes, transparent: int | tuple[int, ...] | None) -> Frame:
    """Decode the pixels of a 16-bit PNG, as they are stored.

    Args:
        head: the file's first bytes.
        transparent: the colour that the file declares transparent, if there is one.
    """
    import cv2

    planes = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if planes is None or planes.dtype != np.uint16:
        raise DataError("the file is damaged: its pixels cannot be decoded")
    frame = from_planes(bgr_to_rgb(planes.reshape(*planes.shape[:2], -1)))
    if head[25] == GRAY_ALPHA:
        return Frame(pixels=np.ascontiguousarray(frame.pixels[..., :1]), alpha=frame.alpha)
    if transparent is not None:
        opaque = (frame.pixels != np.array(transparent)).any(axis=2)
        return Frame(pixels=frame.pixels, alpha=opaque.astype(np.uint16) * 65535)
    return frame


def _read_ppm(path: Path, head: bytes) -> Frame:
    """Decode the pixels of a PGM or PPM of more than 8 bits, scaled to 16."""
    found = PPM.match(head)
    assert found
    width, height, white = (int(number) for number in found.groups()[1:])
    channels = 1 if found[1] == b"5" else 3
    values = np.fromfile(path, ">u2", width * height * channels, offset=found.end())
    if values.size < width * height * channels:
        raise DataError("the file is cut off")
    if white != 65535:
        values = np.rint(values.clip(0, white) * (65535 / white))
    return Frame(pixels=values.astype(np.uint16).reshape(height, width, channels))


def encode_deep_png(frame: Frame, icc: bytes | None, metadata: Mapping[str, Any]) -> bytes:
    """Encode an image as a PNG of 16 bits a channel."""
    import cv2

    if frame.alpha is not None and frame.pixels.shape[2] == 1:
        data = _gray_alpha_png(np.dstack([frame.pixels, frame.alpha]))
    else:
        planes = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        done, encoded = cv2.imencode(".png", bgr_to_rgb(planes))
        if not done:
            raise DataError("the image cannot be encoded as a 16-bit PNG")
        data = encoded.tobytes()
    chunks = []
    if icc:
        chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if dpi := metadata.get("dpi"):
        x, y = (round(value / 0.0254) for value in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := metadata.get("exif"):
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp := metadata.get("xmp"):
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    after_header = len(PNG) + 25
    return data[:after_header] + b"".join(_chunk(*chunk) for chunk in chunks) + data[after_header:]


def _gray_alpha_png(planes: Array) -> bytes:
    """Encode (H, W, 2) uint16 as a PNG of gray and alpha, which OpenCV would make four channels of."""
    height, width = planes.shape[:2]
    rows = planes.astype(">u2").view(np.uint8).reshape(height, -1)
    rows = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # each byte less the one above: filter 2
    header = struct.pack(">IIBBBBB", width, height, 16, GRAY_ALPHA, 0, 0, 0)
    content = zlib.compress(np.insert(rows, 0, 2, axis=1).tobytes(), 4)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG: length, name, content, checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def encode_deep_ppm(frame: Frame) -> bytes:
    """Encode an image without alpha as a PGM or PPM of 16 bits a channel."""
    width, height = frame.size
    kind = b"P5" if frame.pixels.shape[2] == 1 else b"P6"
    return kind + f"\n{width} {height}\n65535\n".encode() + frame.pixels.astype(">u2").tobytes()


def encode_alpha_bmp(frame: Frame) -> bytes:
    """Encode an image as a BMP with the header that declares its alpha, which Pillow does not write."""
    import cv2

    _, encoded = cv2.imencode(".bmp", bgr_to_rgb(np.dstack([frame.rgb(), np.asarray(frame.alpha)])))
    return encoded.tobytes()


def bgr_to_rgb(pixels: Array) -> Array:
    """Reorder (H, W, C) from OpenCV's BGR to RGB, or back; gray stays as it is."""
    if pixels.shape[2] < 3:
        return pixels
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
