"""Find the bright scratches and specks of scanned photos, and repair them.

python tools/inpaint_photos.py scans/ -o repaired/ --masks found/

Look at what was found before you trust it: the masks are written beside the photos, white where the photo is
repaired. Mend a mask in any paint program and run `translate inpaint scans/ --mask found/ -o repaired/`.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image, ImageOps

import translate

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def scratches(gray: np.ndarray, width: int, contrast: int) -> np.ndarray:
    """Where a photo is brighter than all around it, in lines and specks no wider than `width` pixels.

    A white top-hat: the photo less its opening, which takes away whatever is too thin for the disk. Where
    all is full of thin bright things (fur, wood, letters), they must stand out the more.
    """
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    thin = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, disk).astype(np.float32)
    usual = cv2.blur(thin, (16 * width + 1, 16 * width + 1))
    found = (thin >= contrast + 2 * usual).astype(np.uint8) * 255
    return cv2.dilate(found, np.ones((3, 3), np.uint8))  # with the soft edge of a scratch


@click.command()
@click.argument("scans", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="folder to write to")
@click.option("--masks", required=True, type=click.Path(path_type=Path), help="folder for what was found")
@click.option("--width", default=4, type=click.IntRange(1), help="of the widest scratch, in pixels")
@click.option("--contrast", default=60, type=click.IntRange(1, 255), help="by which a scratch is brighter")
@click.option("--most", default=5.0, help="percent of a photo; if more is found, it is left alone")
@click.option("--look", is_flag=True, help="write the masks, and repair nothing yet")
def main(scans: Path, out: Path, masks: Path, width: int, contrast: int, most: float, look: bool) -> None:
    """Repair the photos of SCANS."""
    inpaint = translate.load("inpaint")
    used: set[Path] = set()
    for path in sorted(path for path in scans.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                gray = np.asarray(ImageOps.exif_transpose(image).convert("L"))
        except OSError as error:
            print(f"{path} is left out: {error}")
            continue
        mask = masks / path.relative_to(scans).with_suffix(".png")
        if mask in used:
            print(f"{path} is left out: {mask} is another photo's, of the same stem; rename one")
            continue
        used.add(mask)
        mask.parent.mkdir(parents=True, exist_ok=True)
        found = scratches(gray, width, contrast)
        Image.fromarray(found).save(mask)
        share = 100 * float((found > 0).mean())
        print(f"{path}: {share:.1f}% is scratched, see {mask}")
        if share > most:
            print(f"{path} is left alone: over --most {most:g}%; mend its mask, or raise --contrast")
        elif not look:
            there = out / path.parent.relative_to(scans)
            for outcome in inpaint.folder(path, there, mask=mask):  # all else stays as it is, to the bit
                print(outcome.failure or f"{outcome.source} -> {outcome.target} {outcome.note}")


if __name__ == "__main__":
    main()
