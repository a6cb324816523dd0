"""Score a model on the built-in horses and zebras, where each horse has its ground-truth zebra.

translate data demo datasets/demo
python tools/score_demo.py runs/cyclegan --data datasets/demo

Horses in three coats are scored for each pair of coats:

translate data demo datasets/coats --domains 3
python tools/score_demo.py runs/stargan --data datasets/coats

Larger scenes (`translate data demo datasets/demo512 --size 512`) are scored at 64 px, where stripes of any
size can be counted alike, and their background at its own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from score_coats import print_scores, score_coats

import translate
from translate.images import find_images, read_rgb
from translate.images.frame import Pixels
from translate.metrics import psnr

MID_GRAY = 127.5
MIN_COAT_DIFFERENCE = 4  # levels; horse and zebra differ by more everywhere on the body, and nowhere else
DARK, LIGHT = 95, 160  # levels below and above which a pixel belongs to a dark or a light stripe
SIDE = 64  # pixels; the size at which coats are compared
MIN_TRUNK_WIDTH = 0.6  # of the body's greatest width, for a row of pixels to belong to the trunk
MIN_CHANGES = 4  # between dark and light along the trunk, for an image to count as striped


@dataclass(frozen=True)
class Score:
    """The similarity of a translated horse to the zebra of the same scene.

    Attributes:
        psnr: over the whole image, in dB.
        right_side: fraction of the body's pixels on the same side of mid-gray as the zebra's.
        changes: changes between dark and light along the trunk, median over its rows.
        background_error: RMS distance from the true background, in levels.
        background_energy: gradient energy of the background as a fraction of the horse image's.
    """

    psnr: float
    right_side: float
    changes: float
    background_error: float
    background_energy: float

    @property
    def striped(self) -> bool:
        """Return whether the trunk has stripes, wherever they are; true of all zebras and of no horse."""
        return self.changes >= MIN_CHANGES


def score(image: Pixels, horse: Pixels, zebra: Pixels) -> Score:
    """Compare a translated horse with its ground truth.

    Args:
        image, horse, zebra: (H, W, 3) uint8 of one scene.
    """
    error, energy = compare_background(image, horse, zebra)
    image, horse, zebra = (shrink(pixels) for pixels in (image, horse, zebra))
    body = find_body(horse, zebra)
    gray, truth = image.mean(axis=2), zebra.mean(axis=2)
    widths = body.sum(axis=1)
    trunk = np.flatnonzero(widths >= MIN_TRUNK_WIDTH * widths.max())
    return Score(
        psnr=psnr(image, zebra, data_range=255),
        right_side=float(np.mean((gray > MID_GRAY)[body] == (truth > MID_GRAY)[body])),
        changes=float(np.median([count_changes(gray[row][body[row]]) for row in trunk])),
        background_error=error,
        background_energy=energy,
    )


def find_body(horse: Pixels, zebra: Pixels) -> NDArray[np.bool_]:
    """Return where the two images of a scene differ, (H, W) bool."""
    body: NDArray[np.bool_] = np.abs(horse.astype(int) - zebra).max(axis=2) > MIN_COAT_DIFFERENCE
    return body


def shrink(pixels: Pixels) -> Pixels:
    """Reduce an image to `SIDE` pixels a side; a smaller one stays as it is."""
    if len(pixels) <= SIDE:
        return pixels
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def compare_background(image: Pixels, horse: Pixels, zebra: Pixels) -> tuple[float, float]:
    """Return the background's RMS error and its relative gradient energy, away from the body."""
    margin = np.ones((2 * (len(horse) // SIDE) + 1,) * 2, np.uint8)
    background = cv2.dilate(find_body(horse, zebra).astype(np.uint8), margin) == 0
    error = np.sqrt(np.mean((image.astype(float) - zebra)[background] ** 2))
    energies = [gradient_energy(pixels)[background[1:, 1:]].mean() for pixels in (image, horse)]
    return float(error), float(energies[0] / energies[1])


def gradient_energy(pixels: Pixels) -> NDArray[np.floating]:
    """Return the squared gradient of the lightness, (H - 1, W - 1)."""
    gray = pixels.mean(axis=2)
    energy: NDArray[np.floating] = np.diff(gray, axis=0)[:, 1:] ** 2 + np.diff(gray, axis=1)[1:] ** 2
    return energy


def count_changes(levels: NDArray[np.floating]) -> int:
    """Count how often a row of pixels changes from dark to light or back."""
    sides = np.select([levels < DARK, levels > LIGHT], [-1, 1], 0)
    return int(np.count_nonzero(np.diff(sides[sides != 0])))


def score_model(model: str, data: Path, size: str = "auto", device: str = "auto") -> list[Score]:
    """Score a model on all test scenes of the built-in dataset.

    Args:
        size, device: those of `translate apply`.
    """
    translator = translate.load(model, size=size, device=device)
    horses = find_images(data / "testA")
    images = ((read_rgb(horse), read_rgb(data / "testB" / horse.name)) for horse in horses)
    return [score(translator(horse), horse, zebra) for horse, zebra in images]


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="built-in dataset")
@click.option("--size", default="auto", help="working size, as for translate apply", show_default=True)
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps", show_default=True)
def main(model: str, data: Path, size: str, device: str) -> None:
    """Print how similar the translations of MODEL are to the true zebras, or coats, of the test scenes."""
    if not (data / "testA").is_dir():
        print_scores(*score_coats(model, data, size, device))
        return
    scores = score_model(model, data, size, device)
    click.echo(f"scenes                              {len(scores)}")
    click.echo(f"PSNR, mean                          {np.mean([s.psnr for s in scores]):.2f} dB")
    click.echo(f"body on the right side of mid-gray  {np.mean([s.right_side for s in scores]):.1%}")
    click.echo(f"striped horses                      {np.mean([s.striped for s in scores]):.1%}")
    click.echo(
        f"background, RMS error               {np.mean([s.background_error for s in scores]):.1f} levels"
    )
    click.echo(f"background, gradient energy         {np.mean([s.background_energy for s in scores]):.1%}")


if __name__ == "__main__":
    main()
