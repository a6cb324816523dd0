"""Read and write 16-bit PNG, PGM and PPM, which Pillow would reduce to 8 bits; write BMP with alpha."""

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
from translate.images.color.profiles import high_bit_depth_frame_to_srgb
from translate.images.frame import Array, Frame, from_array
from translate.images.image_file import ImageFile

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The header of a binary PGM (P5) or PPM (P6): width, height and the value of white, with optional comments.
PPM_HEADER = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s")
GRAY_ALPHA = 4  # The colour type of gray with alpha in the header of a PNG.


def is_16bit_png(head: bytes) -> bool:
    """Return whether a file with these first bytes is a PNG of 16 bits a channel."""
    return head.startswith(PNG_SIGNATURE) and len(head) > 25 and head[24] == 16


def is_16bit_ppm(head: bytes) -> bool:
    """Return whether a file with these first bytes is a binary PGM or PPM of more than 8 bits a channel."""
    header = PPM_HEADER.match(head)
    return header is not None and int(header[4]) > 255


def read_16bit_image(
    image: Image.Image,
    path: Path,
    head: bytes,
    *,
    icc: bytes | None,
    metadata: dict[str, Any],
    keep_profile_colors: bool,
) -> ImageFile:
    """Read a PNG, PGM or PPM of more than 8 bits a channel, upright and in sRGB.

    Args:
        image: the file as Pillow has opened it, for its format and its orientation.
        head: the file's first bytes.
        icc: the file's ICC profile.
        metadata: the metadata of the result.
        keep_profile_colors: do not convert the colours to sRGB.
    """
    image_format, exif_orientation = str(image.format), orientation(image)
    transparent = image.info.get("transparency")
    stored = _decode_png(path, head, transparent) if image_format == "PNG" else _decode_ppm(path, head)
    upright = turn_upright(stored, exif_orientation)
    frame = high_bit_depth_frame_to_srgb(upright, None if keep_profile_colors else icc)
    return ImageFile(
        format=image_format,
        frames=[frame],
        mode="L" if frame.pixels.shape[2] == 1 else "RGB",
        icc=icc,
        in_profile_colors=keep_profile_colors,
        metadata=metadata,
    )


def _decode_png(path: Path, head: bytes, transparent: int | tuple[int, ...] | None) -> Frame:
    """Decode a 16-bit PNG with OpenCV.

    Args:
        head: the file's first bytes.
        transparent: the colour that a tRNS chunk declares transparent, if there is one.
    """
    import cv2

    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise DataError("the file is damaged (its pixels cannot be decoded): copy it again")
    frame = from_array(swap_bgr_rgb(array.reshape(*array.shape[:2], -1)))
    if head[25] == GRAY_ALPHA:
        return Frame(pixels=np.ascontiguousarray(frame.pixels[..., :1]), alpha=frame.alpha)
    if transparent is not None:
        opaque = (frame.pixels != np.array(transparent)).any(axis=2)
        return Frame(pixels=frame.pixels, alpha=opaque.astype(np.uint16) * 65535)
    return frame


def _decode_ppm(path: Path, head: bytes) -> Frame:
    """Decode a PGM or PPM of more than 8 bits a channel, and scale its values to 16 bits."""
    header = PPM_HEADER.match(head)
    assert header
    width, height, white = (int(number) for number in header.groups()[1:])
    channels = 1 if header[1] == b"5" else 3
    values = np.fromfile(path, ">u2", width * height * channels, offset=header.end())
    if values.size < width * height * channels:
        raise DataError("the file is damaged (it is truncated): copy it again")
    if white != 65535:
        values = np.rint(values.clip(0, white) * (65535 / white))
    return Frame(pixels=values.astype(np.uint16).reshape(height, width, channels))


def encode_16bit_png(frame: Frame, icc: bytes | None, metadata: Mapping[str, Any]) -> bytes:
    """Encode a uint16 image as a 16-bit PNG, with its ICC profile and metadata."""
    import cv2

    if frame.alpha is not None and frame.pixels.shape[2] == 1:
        data = _encode_gray_alpha_png(np.dstack([frame.pixels, frame.alpha]))
    else:
        array = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        success, encoded = cv2.imencode(".png", swap_bgr_rgb(array))
        if not success:
            raise DataError("the image cannot be encoded as a 16-bit PNG")
        data = encoded.tobytes()
    chunks = []
    if icc:
        chunks.append((b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if dpi := metadata.get("dpi"):
        x, y = (round(value / 0.0254) for value in dpi)  # PNG has pixels per metre.
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif := metadata.get("exif"):
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp := metadata.get("xmp"):
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    header_end = len(PNG_SIGNATURE) + 25
    return data[:header_end] + b"".join(_png_chunk(*chunk) for chunk in chunks) + data[header_end:]


def _encode_gray_alpha_png(array: Array) -> bytes:
    """Encode (H, W, 2) uint16 as a PNG of gray and alpha, for which OpenCV would write four channels."""
    height, width = array.shape[:2]
    rows = array.astype(">u2").view(np.uint8).reshape(height, -1)
    # Filter type 2 of PNG (Up): each byte is stored as its difference from the byte above.
    rows = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    header = struct.pack(">IIBBBBB", width, height, 16, GRAY_ALPHA, 0, 0, 0)
    content = zlib.compress(np.insert(rows, 0, 2, axis=1).tobytes(), 4)
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG: length, name, content, checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def encode_16bit_ppm(frame: Frame) -> bytes:
    """Encode a uint16 image without alpha as a 16-bit PGM or PPM."""
    width, height = frame.size
    magic = b"P5" if frame.pixels.shape[2] == 1 else b"P6"
    return magic + f"\n{width} {height}\n65535\n".encode() + frame.pixels.astype(">u2").tobytes()


def encode_alpha_bmp(frame: Frame) -> bytes:
    """Encode a uint8 image as a BMP whose header declares the alpha, which Pillow cannot write."""
    import cv2

    _, encoded = cv2.imencode(".bmp", swap_bgr_rgb(np.dstack([frame.rgb(), np.asarray(frame.alpha)])))
    return encoded.tobytes()


def swap_bgr_rgb(array: Array) -> Array:
    """Reorder an (H, W, C) array from OpenCV's BGR or BGRA to RGB or RGBA, or back; gray stays as it is."""
    if array.shape[2] < 3:
        return array
    return np.ascontiguousarray(array[..., [2, 1, 0, 3][: array.shape[2]]])
