"""Arrange images in one: a plain grid, or a contact sheet with a title above each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from translate.images.frame import Pixels

GAP = 4  # Space between images, in pixels.
HEADER = 18  # Height of the row of titles, in pixels.


def image_grid(images: Sequence[Pixels], columns: int) -> Pixels:
    """Arrange images of one size in a grid, row by row, with white between them.

    Args:
        images: (h, w, 3) uint8 each.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    grid = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        grid[top : top + height, left : left + width] = image
    return grid


def contact_sheet(columns: Mapping[str, Sequence[Pixels]], *, side: int = 128) -> Pixels:
    """Arrange images in titled columns, for comparison.

    Args:
        columns: the images of each column by its title, (H, W, 3) uint8 each.
        side: each image is resized to fit a square of this side, in pixels.

    Returns:
        (H, W, 3) uint8.
    """
    rows = max((len(images) for images in columns.values()), default=0)
    size = (len(columns) * (side + GAP) + GAP, HEADER + rows * (side + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, (title, images) in enumerate(columns.items()):
        x = GAP + column * (side + GAP)
        draw.text((x + side / 2, HEADER / 2), title, fill="black", anchor="mm", font_size=13)
        for row, pixels in enumerate(images):
            image = _fit(pixels, side)
            left, top = (side - image.width) // 2, (side - image.height) // 2
            sheet.paste(image, (x + left, HEADER + row * (side + GAP) + top))
    return np.asarray(sheet)


def _fit(pixels: Pixels, side: int) -> Image.Image:
    """Resize an image to fit a square: enlarge with nearest neighbours, reduce with a Lanczos filter."""
    image = Image.fromarray(pixels)
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS)
