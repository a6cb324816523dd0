"""The settings that the encoder of an image file was given, found in the file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

HUFFMAN_CODES, START_OF_SCAN = 0xC4, 0xDA  # markers of JPEG
# That of luminance (ITU-T T.81, table K.5): how many codes have 1 to 16 bits.
STANDARD_CODE = bytes([0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D])


def read_encoder_settings(image: Image.Image, kind: str, path: Path) -> dict[str, Any]:
    """Return the settings that the file's encoder was given, as the writer takes them.

    Args:
        image: the open file.
        kind: its format.
    """
    info = image.info
    if kind == "JPEG" and isinstance(image, JpegImagePlugin.JpegImageFile):
        sampling = JpegImagePlugin.get_sampling(image)
        return {
            "qtables": {n: list(table) for n, table in image.quantization.items()},
            "subsampling": sampling if sampling in (0, 1, 2) else (0 if image.mode == "CMYK" else 2),
            "progressive": bool(info.get("progressive")),
            "optimize": not _has_standard_codes(path),
        }
    if kind == "TIFF":
        return {"compression": info.get("compression")}
    settings: dict[str, Any] = {name: info[name] for name in ("loop", "default_image") if name in info}
    if kind == "WEBP":
        settings["lossless"] = _is_lossless_webp(path)
    return settings


def _has_standard_codes(path: Path) -> bool:
    """Return whether a JPEG has the Huffman codes of the standard, not ones made for this image."""
    with path.open("rb") as file:
        file.seek(2)
        while len(marker := file.read(4)) == 4 and marker[0] == 0xFF and marker[1] != START_OF_SCAN:
            content = file.read(int.from_bytes(marker[2:]) - 2)
            if marker[1] == HUFFMAN_CODES and STANDARD_CODE in content:
                return True
    return False


def _is_lossless_webp(path: Path) -> bool:
    """Return whether the first image chunk of a WebP is of its lossless kind (RFC 9649, 2.6)."""
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", header)
            if name in (b"VP8 ", b"VP8L"):
                return bool(name == b"VP8L")
            file.seek(16 if name == b"ANMF" else size + size % 2, 1)
    return False
