"""Colorize the gray photos of an album, and copy its colour photos unchanged.

python tools/colorize_photos.py album/ -o coloured/

Gray files, gray photos stored as RGB, sepia prints and 16-bit scans are colorized from their lightness alone.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import numpy as np
from PIL import Image

import translate

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def is_without_colour(path: Path, tolerance: float = 6.0) -> bool:
    """Return whether a photo is gray or toned throughout, as a sepia print is.

    In such a photo the tint is a function of the lightness: what a parabola cannot fit has a small standard
    deviation, in levels. A file that cannot be read counts as gray, so that the model reports the reason.
    """
    try:
        with Image.open(path) as image:
            thumbnail = image.convert("RGB")
    except OSError:
        return True
    thumbnail.thumbnail((256, 256))
    rgb = np.asarray(thumbnail, float).reshape(-1, 3)
    tint = np.stack([rgb[:, 0] - rgb[:, 1], rgb[:, 2] - rgb[:, 1]], axis=1)
    lightness = rgb.mean(axis=1, keepdims=True)
    parabola = np.hstack([np.ones_like(lightness), lightness, lightness**2])
    residual = tint - parabola @ np.linalg.lstsq(parabola, tint, rcond=None)[0]
    return bool(residual.std() < tolerance)


@click.command()
@click.argument("album", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="output folder")
@click.option(
    "--saturation",
    default=1.0,
    show_default=True,
    help="factor of the colours: lower is safer, higher livelier",
)
@click.option("--all", "everything", is_flag=True, help="also colorize photos that have colours")
def main(album: Path, out: Path, saturation: float, everything: bool) -> None:
    """Colorize the gray photos of ALBUM."""
    photos = sorted(path for path in album.rglob("*") if path.suffix.lower() in SUFFIXES)
    gray = [path for path in photos if everything or is_without_colour(path)]
    print(f"{len(gray)} of {len(photos)} photos are without colour; the others are copied")
    colorize = translate.load("colorize", saturation=saturation)
    for path in set(photos) - set(gray):
        (copy := out / path.relative_to(album)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    for folder in sorted({path.parent for path in gray}):
        files = [path for path in gray if path.parent == folder]
        for outcome in colorize.folder(files, out / folder.relative_to(album)):
            print(outcome.failure or f"{outcome.source} -> {outcome.target}")


if __name__ == "__main__":
    main()
