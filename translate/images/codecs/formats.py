"""The image formats that are read and written, and what each of them can hold."""

from __future__ import annotations

import PIL.WebPImagePlugin  # noqa: F401 - registers itself
from PIL import Image

# Registers the other formats below. For a format that is not registered, Pillow would import all its plugins.
Image.preinit()

READABLE = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
ANIMATED = ("GIF", "PNG", "WEBP")
HOLDS_ALPHA = ("GIF", "PNG", "TIFF", "WEBP", "BMP")
HOLDS_DEPTH = ("PNG", "PPM", "TIFF")
HOLDS_ICC = ("JPEG", "PNG", "TIFF", "WEBP")
FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pgm": "PPM",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
