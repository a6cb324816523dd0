"""Give a folder of old photos colour, and copy those as they are that have some.

python tools/colorize_photos.py album/ -o coloured/

Gray files, colour files that hold gray, sepia prints and 16-bit scans: the model looks at lightness alone.
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
    """Whether a photo is gray, or of one tint throughout as a sepia print is.

    Its colours then follow from its lightness. A file that cannot be read is none of those that have
    colours: the model names it, with the reason.
    """
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except OSError:
        return True
    small.thumbnail((256, 256))
    rgb = np.asarray(small, float).reshape(-1, 3)
    tint = np.stack([rgb[:, 0] - rgb[:, 1], rgb[:, 2] - rgb[:, 1]], axis=1)
    light = rgb.mean(axis=1, keepdims=True)
    curve = np.hstack([np.ones_like(light), light, light**2])  # how a toned print's tint follows lightness
    rest = tint - curve @ np.linalg.lstsq(curve, tint, rcond=None)[0]
    return bool(rest.std() < tolerance)


@click.command()
@click.argument("album", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="folder to write to")
@click.option("--saturation", default=1.0, show_default=True, help="less is safer, more is livelier")
@click.option("--all", "everything", is_flag=True, help="photos that have colours, too")
def main(album: Path, out: Path, saturation: float, everything: bool) -> None:
    """Colour the photos of ALBUM."""
    photos = sorted(path for path in album.rglob("*") if path.suffix.lower() in SUFFIXES)
    gray = [path for path in photos if everything or is_without_colour(path)]
    print(f"{len(gray)} of {len(photos)} photos are without colour; the others are copied")
    colorize = translate.load("colorize", saturation=saturation)
    for path in set(photos) - set(gray):
        (copy := out / path.relative_to(album)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    for folder in sorted({path.parent for path in gray}):
        here = [path for path in gray if path.parent == folder]
        for outcome in colorize.folder(here, out / folder.relative_to(album)):  # a bad file stops nothing
            print(outcome.failure or f"{outcome.source} -> {outcome.target}")


if __name__ == "__main__":
    main()
