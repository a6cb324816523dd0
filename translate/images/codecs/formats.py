"""The image formats that are read and written, by Pillow's names, and the features of each."""

from __future__ import annotations

import PIL.WebPImagePlugin  # noqa: F401 - The import registers the format.
from PIL import Image

# Register the other formats below. If a format is not registered, Pillow imports all of its plugins.
Image.preinit()

READABLE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
ANIMATED_FORMATS = ("GIF", "PNG", "WEBP")
ALPHA_FORMATS = ("GIF", "PNG", "TIFF", "WEBP", "BMP")
HIGH_BIT_DEPTH_FORMATS = ("PNG", "PPM", "TIFF")
ICC_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
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
