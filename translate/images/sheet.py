"""Contact sheets: rows of images under the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from translate.images.frame import Pixels

GAP = 4
HEADER = 18


def image_grid(frames: Sequence[Pixels], columns: int) -> Pixels:
    """Lay images of one size out row by row, with white between them.

    Args:
        images: (h, w, 3) uint8 each.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = frames[0].shape[:2]
    rows = -(-len(frames) // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        sheet[top : top + height, left : left + width] = frame
    return sheet


def contact_sheet(columns: Mapping[str, Sequence[Pixels]], *, side: int = 128) -> Pixels:
    """Lay images out, one column a name, one row an image.

    Args:
        columns: name -> (H, W, 3) uint8 images, as many in each column.
        side: each image is fitted into a square of this side, in pixels.

    Returns:
        (H, W, 3) uint8.
    """
    rows = max((len(frames) for frames in columns.values()), default=0)
    size = (len(columns) * (side + GAP) + GAP, HEADER + rows * (side + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, (name, frames) in enumerate(columns.items()):
        x = GAP + column * (side + GAP)
        draw.text((x + side / 2, HEADER / 2), name, fill="black", anchor="mm", font_size=13)
        for row, pixels in enumerate(frames):
            frame = _fit(pixels, side)
            left, top = (side - frame.width) // 2, (side - frame.height) // 2
            sheet.paste(frame, (x + left, HEADER + row * (side + GAP) + top))
    return np.asarray(sheet)


def _fit(pixels: Pixels, side: int) -> Image.Image:
    """Resize an image to fit a square: enlarge small ones by whole pixels, reduce large ones smoothly."""
    frame = Image.fromarray(pixels)
    factor = side / max(frame.size)
    size = (max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))
    return frame.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS)
