"""Create the images of docs/photos.md from scikit-image's photos and the installed models.

python tools/guide_images.py docs/images/
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import skimage.color as color
import skimage.data as data

import translate
from translate.data.datasets.masks import draw_mask
from translate.images import Pixels, contact_sheet, write_rgb

PHOTOS = ("chelsea", "coffee", "astronaut", "rocket", "motorcycle")
SIDE = 256


def load_photo(name: str) -> Pixels:
    """Load a photo of scikit-image; scale and center-crop it to 256 x 256."""
    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    height, width = pixels.shape[:2]
    size = round(width * SIDE / min(height, width)), round(height * SIDE / min(height, width))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - SIDE) // 2, (small.shape[1] - SIDE) // 2
    return np.ascontiguousarray(small[top : top + SIDE, left : left + SIDE])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write colorize.jpg and inpaint.jpg to FOLDER."""
    truth = [load_photo(name) for name in PHOTOS]
    gray = [np.rint(255 * color.gray2rgb(color.rgb2gray(pixels))).astype(np.uint8) for pixels in truth]
    colorize = translate.load("colorize")
    columns = {"gray": gray, "colorize": [colorize(pixels) for pixels in gray], "truth": truth}
    write_rgb(contact_sheet(columns, side=SIDE), folder / "colorize.jpg")

    inpaint = translate.load("inpaint")
    sizes = ((0.05, 0.1), (0.1, 0.2), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4))
    kinds = ("strokes", "boxes", "strokes", "outlines", "strokes")
    masks = [
        draw_mask(np.random.default_rng(number), SIDE, SIDE, (kind,), size)
        for number, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
    ]
    holes = [np.where(mask[..., None] > 0, np.uint8(255), p) for p, mask in zip(truth, masks, strict=True)]
    images = [inpaint(pixels, mask) for pixels, mask in zip(truth, masks, strict=True)]
    columns = {"holes": holes, "inpaint": images, "truth": truth}
    write_rgb(contact_sheet(columns, side=SIDE), folder / "inpaint.jpg")


if __name__ == "__main__":
    main()
