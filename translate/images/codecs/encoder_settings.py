"""Detect how an image file was encoded: quality, chroma subsampling, compression, lossless or lossy."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

# JPEG markers: a segment of Huffman tables, and the start of the compressed data.
HUFFMAN_TABLES, START_OF_SCAN = 0xC4, 0xDA
# The table class and the number of codes of 1 to 16 bits of the standard's Huffman table for the AC
# coefficients of luminance (ITU-T T.81, table K.5).
STANDARD_TABLE = bytes([0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D])


def read_encoder_settings(image: Image.Image, image_format: str, path: Path) -> dict[str, Any]:
    """Return the settings that the file was encoded with, as `save_options` takes them.

    Args:
        image: the file as Pillow has opened it.
        image_format: its format; JPEG for Pillow's MPO.
    """
    info = image.info
    if image_format == "JPEG" and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        return {
            "qtables": {n: list(table) for n, table in image.quantization.items()},
            "subsampling": sampling if sampling in (0, 1, 2) else (0 if image.mode == "CMYK" else 2),
            "progressive": bool(info.get("progressive")),
            "optimize": not _has_standard_huffman_table(path),
        }
    if image_format in ("TIFF", "TGA"):
        return {"compression": info.get("compression")}
    settings: dict[str, Any] = {name: info[name] for name in ("loop", "default_image") if name in info}
    if image_format == "WEBP":
        settings["lossless"] = _is_lossless_webp(path)
    return settings


def _has_standard_huffman_table(path: Path) -> bool:
    """Return whether a JPEG has the Huffman tables of the standard, not tables optimized for the image."""
    with path.open("rb") as file:
        file.seek(2)
        while len(marker := file.read(4)) == 4 and marker[0] == 0xFF and marker[1] != START_OF_SCAN:
            content = file.read(int.from_bytes(marker[2:]) - 2)
            if marker[1] == HUFFMAN_TABLES and STANDARD_TABLE in content:
                return True
    return False


def _is_lossless_webp(path: Path) -> bool:
    """Return whether the first image chunk of a WebP is lossless (RFC 9649, 2.6)."""
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            if name in (b"VP8 ", b"VP8L"):
                return bool(name == b"VP8L")
            file.seek(16 if name == b"ANMF" else size + size % 2, 1)
    return False
