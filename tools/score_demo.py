"""Score a model on the built-in horses and zebras, where each horse has its ground-truth zebra.

translate data demo datasets/demo
python tools/score_demo.py runs/cyclegan --data datasets/demo
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

import translate
from translate.images import find_images, read_rgb
from translate.images.frame import Pixels
from translate.metrics import psnr

MID_GRAY = 127.5
MIN_COAT_DIFFERENCE = 4  # levels; horse and zebra differ by more everywhere on the body, and nowhere else
DARK, LIGHT = 95, 160  # levels below and above which a pixel belongs to a dark or a light stripe
MIN_TRUNK_WIDTH = 0.6  # of the body's greatest width, for a row of pixels to belong to the trunk
MIN_CHANGES = 4  # between dark and light along the trunk, for an image to count as striped


@dataclass(frozen=True)
class Score:
    """The similarity of a translated horse to the zebra of the same scene.

    Attributes:
        psnr: over the whole image, in dB.
        right_side: fraction of the body's pixels on the same side of mid-gray as the zebra's.
        changes: changes between dark and light along the trunk, median over its rows.
    """

    psnr: float
    right_side: float
    changes: float

    @property
    def striped(self) -> bool:
        """Return whether the trunk has stripes, wherever they are; true of all zebras and of no horse."""
        return self.changes >= MIN_CHANGES


def score(image: Pixels, horse: Pixels, zebra: Pixels) -> Score:
    """Compare a translated horse with its ground truth.

    Args:
        image, horse, zebra: (H, W, 3) uint8 of one scene.
    """
    body = np.abs(horse.astype(int) - zebra).max(axis=2) > MIN_COAT_DIFFERENCE
    gray, truth = image.mean(axis=2), zebra.mean(axis=2)
    widths = body.sum(axis=1)
    trunk = np.flatnonzero(widths >= MIN_TRUNK_WIDTH * widths.max())
    return Score(
        psnr=psnr(image, zebra, data_range=255),
        right_side=float(np.mean((gray > MID_GRAY)[body] == (truth > MID_GRAY)[body])),
        changes=float(np.median([count_changes(gray[row][body[row]]) for row in trunk])),
    )


def count_changes(levels: NDArray[np.floating]) -> int:
    """Count how often a row of pixels changes from dark to light or back."""
    sides = np.select([levels < DARK, levels > LIGHT], [-1, 1], 0)
    return int(np.count_nonzero(np.diff(sides[sides != 0])))


def score_model(model: str, data: Path) -> list[Score]:
    """Score a model on all test scenes of the built-in dataset."""
    translator = translate.load(model)
    horses = find_images(data / "testA")
    images = ((read_rgb(horse), read_rgb(data / "testB" / horse.name)) for horse in horses)
    return [score(translator(horse), horse, zebra) for horse, zebra in images]


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="built-in dataset")
def main(model: str, data: Path) -> None:
    """Print how similar the translations of MODEL are to the true zebras of the test scenes."""
    scores = score_model(model, data)
    click.echo(f"scenes                              {len(scores)}")
    click.echo(f"PSNR, mean                          {np.mean([s.psnr for s in scores]):.2f} dB")
    click.echo(f"body on the right side of mid-gray  {np.mean([s.right_side for s in scores]):.1%}")
    click.echo(f"striped horses                      {np.mean([s.striped for s in scores]):.1%}")


if __name__ == "__main__":
    main()
