"""The image formats that are read and written, by Pillow's names, and the features of each."""

from __future__ import annotations

import re
from pathlib import Path

# The imports register the formats.
import PIL.TgaImagePlugin
import PIL.WebPImagePlugin  # noqa: F401
from PIL import Image

# Register the other formats below. If a format is not registered, Pillow imports all of its plugins.
Image.preinit()

READABLE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# Formats that have no signature, so that anything could be one: files of these suffixes only.
FORMATS_BY_SUFFIX = {".dib": "DIB", ".tga": "TGA"}
ANIMATED_FORMATS = ("GIF", "PNG", "WEBP")
ALPHA_FORMATS = ("GIF", "PNG", "TIFF", "WEBP", "BMP", "TGA")
HIGH_BIT_DEPTH_FORMATS = ("PNG", "PPM", "TIFF")
ICC_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
FORMATS = {
    ".apng": "PNG",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".mpo": "JPEG",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".png": "PNG",
    ".pnm": "PPM",
    ".ppm": "PPM",
    ".tga": "TGA",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}

# The first bytes of the readable formats. Those of BMP and PPM could be text, so their headers are looked at.
SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"
    rb"|P[1-6](?:\s+|#[^\n]*\n)+\d",
    re.DOTALL,
)
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # Little and big endian; TIFF and BigTIFF.
HEAD_BYTES = 512  # A comment may come first in a PPM.


def has_image_signature(head: bytes, *, tiff: bool = True) -> bool:
    """Return whether a file with these first bytes is an image of a readable format.

    Args:
        tiff: whether a TIFF counts.
    """
    return bool(SIGNATURES.match(head)) or (tiff and head.startswith(TIFF_SIGNATURES))


def formats_to_try(path: Path) -> tuple[str, ...]:
    """Return the formats that a file may have, by Pillow's names."""
    extra = FORMATS_BY_SUFFIX.get(path.suffix.lower())
    return (*READABLE_FORMATS, extra) if extra else READABLE_FORMATS
