"""Previews: reduced copies of images for the page, which nobody downloads in place of the images."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from translate.images import read_rgb

MAX_SIDE = 1600  # In pixels.


def preview(path: Path) -> Image.Image:
    """Return the first frame of an image, upright, in 8 bits, on white, and no larger than `MAX_SIDE`.

    Raises:
        DataError: the file cannot be read.
    """
    image = Image.fromarray(read_rgb(path))
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image
