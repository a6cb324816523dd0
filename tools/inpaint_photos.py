"""Detect bright scratches and specks in scanned photos, and inpaint them.

python tools/inpaint_photos.py scans/ -o repaired/ --masks masks/

The masks are white where a photo is inpainted: check them before you trust the result. Correct a mask in any
paint program and run `translate inpaint scans/ --mask masks/ -o repaired/`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import cv2
import numpy as np
from PIL import Image, ImageOps

import translate

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def detect_scratches(gray: np.ndarray, width: int, contrast: int) -> np.ndarray:
    """Return a mask, (H, W) uint8, of lines and specks that are brighter than their surroundings.

    A white top-hat (the photo minus its opening) keeps what is thinner than a disk of that radius. Where a
    photo is full of thin bright details (fur, wood, letters), twice their mean is added to the contrast.

    Args:
        width: the width of the widest scratch in pixels.
        contrast: the levels by which a scratch is brighter.
    """
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    details = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, disk).astype(np.float32)
    mean = cv2.blur(details, (16 * width + 1, 16 * width + 1))
    mask = (details >= contrast + 2 * mean).astype(np.uint8) * 255
    return cv2.dilate(mask, np.ones((3, 3), np.uint8))  # Include the soft edge of a scratch.


@click.command()
@click.argument("scans", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="output folder")
@click.option("--masks", required=True, type=click.Path(path_type=Path), help="folder to write the masks to")
@click.option("--width", default=4, type=click.IntRange(1), help="width of the widest scratch in pixels")
@click.option(
    "--contrast", default=60, type=click.IntRange(1, 255), help="levels by which a scratch is brighter"
)
@click.option(
    "--most", default=5.0, help="skip a photo if more than this percentage is detected as scratched"
)
@click.option("--look", is_flag=True, help="only write the masks")
def main(scans: Path, out: Path, masks: Path, width: int, contrast: int, most: float, look: bool) -> None:
    """Inpaint the scratches of the photos in SCANS."""
    inpaint = translate.load("inpaint")
    mask_files: set[Path] = set()
    for path in sorted(path for path in scans.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                gray = np.asarray(ImageOps.exif_transpose(image).convert("L"))
        except OSError as error:
            print(f"{path}: skipped: {error}")
            continue
        mask_file = masks / path.relative_to(scans).with_suffix(".png")
        if mask_file in mask_files:
            print(f"{path}: skipped: {mask_file} is the mask of another photo of this stem; rename one")
            continue
        mask_files.add(mask_file)
        mask_file.parent.mkdir(parents=True, exist_ok=True)
        mask = detect_scratches(gray, width, contrast)
        Image.fromarray(mask).save(mask_file)
        percentage = 100 * float((mask > 0).mean())
        print(f"{path}: {percentage:.1f}% is scratched, see {mask_file}")
        if percentage > most:
            print(f"{path}: skipped: more than --most {most:g}%; correct its mask, or raise --contrast")
        elif not look and not mask.any():
            copy = out / path.relative_to(scans)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        elif not look:
            folder = out / path.parent.relative_to(scans)
            for outcome in inpaint.folder(path, folder, mask=mask_file):
                print(outcome.failure or f"{outcome.source} -> {outcome.target} {outcome.note}")


if __name__ == "__main__":
    main()
