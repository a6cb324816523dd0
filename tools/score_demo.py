"""Score a model on the built-in horses and zebras, where the true answer is known.

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

MID_GRAY = 127.5
COAT = 4  # the two coats differ by more than this many levels wherever the body is, and nothing else does
DARK, LIGHT = 95, 160  # levels that count as a dark and as a light stripe
TRUNK = 0.6  # rows in which the body is at least this much of its greatest width
CHANGES = 4  # between dark and light, from one end of the trunk to the other


@dataclass(frozen=True)
class Score:
    """How one translated horse compares with the zebra of the same scene.

    Attributes:
        psnr: of the whole image, in dB.
        right_side: share of the body's pixels on the right side of mid-gray.
        changes: between dark and light along the trunk, median of its rows.
    """

    psnr: float
    right_side: float
    changes: float

    @property
    def striped(self) -> bool:
        """Whether there are stripes, wherever they lie. The horses themselves fail this and the
        zebras pass; the tests hold it to that.
        """
        return self.changes >= CHANGES


def score(answer: Pixels, horse: Pixels, zebra: Pixels) -> Score:
    """Compare a translated horse with the truth.

    Args:
        answer, horse, zebra: (H, W, 3) uint8 of one scene.
    """
    error = np.square(answer.astype(float) - zebra).mean()
    body = np.abs(horse.astype(int) - zebra).max(axis=2) > COAT
    gray, truth = answer.mean(axis=2), zebra.mean(axis=2)
    widths = body.sum(axis=1)
    trunk = np.flatnonzero(widths >= TRUNK * widths.max())
    return Score(
        psnr=float(10 * np.log10(255**2 / error)) if error else float("inf"),
        right_side=float(np.mean((gray > MID_GRAY)[body] == (truth > MID_GRAY)[body])),
        changes=float(np.median([changes(gray[row][body[row]]) for row in trunk])),
    )


def changes(levels: NDArray[np.floating]) -> int:
    """How often a line goes from clearly dark to clearly light or back."""
    sides = np.select([levels < DARK, levels > LIGHT], [-1, 1], 0)
    return int(np.count_nonzero(np.diff(sides[sides != 0])))


def scores(model: str, data: Path) -> list[Score]:
    """Score a model on every held-out scene of the built-in set."""
    translator = translate.load(model)
    horses = find_images(data / "testA")
    images = ((read_rgb(horse), read_rgb(data / "testB" / horse.name)) for horse in horses)
    return [score(translator(horse), horse, zebra) for horse, zebra in images]


@click.command()
@click.argument("model")
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="the built-in set")
def main(model: str, data: Path) -> None:
    """Print how near MODEL comes to the true zebras on the held-out scenes."""
    done = scores(model, data)
    click.echo(f"scenes                              {len(done)}")
    click.echo(f"PSNR, mean                          {np.mean([s.psnr for s in done]):.2f} dB")
    click.echo(f"body on the right side of mid-gray  {np.mean([s.right_side for s in done]):.1%}")
    click.echo(f"striped horses                      {np.mean([s.striped for s in done]):.1%}")


if __name__ == "__main__":
    main()
