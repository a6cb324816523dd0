"""Score a model of several domains on the built-in horses in three coats; score_demo.py calls it.

Each test scene exists in every coat, so a translation has a ground truth. Whether it has the coat asked for
is decided by a classifier that is trained here, on scenes that are in no dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import click
import numpy as np

import translate
from translate.data.demo import COATS, draw_coats
from translate.images import find_images, read_rgb
from translate.images.frame import Pixels
from translate.metrics import psnr
from translate.metrics.classifier import Classifier

SEED = 1  # Of the scenes that train the classifier; those of the dataset have the seed 0.
SCENES, STEPS = 200, 300  # Scenes and training steps of the classifier.


@dataclass(frozen=True)
class CoatScore:
    """The scores of the translations from one coat to another.

    Attributes:
        hit_rate: the share of the translations that the classifier takes for the coat asked for.
        psnr, psnr_of_input: the mean PSNR to the true images, in dB, of the translations and of the inputs.
    """

    hit_rate: float
    psnr: float
    psnr_of_input: float


def train_classifier(size: int) -> Classifier:
    """Train a classifier of coats on scenes of its own.

    Args:
        size: the side of the images, in pixels.
    """
    scenes = [draw_coats(SEED, index, size) for index in range(SCENES)]
    images = [scene[coat] for scene in scenes for coat in COATS]
    return Classifier(
        images, [number for _ in scenes for number in range(len(COATS))], len(COATS), steps=STEPS
    )


def score_coats(
    model: str, data: Path, size: str = "auto", device: str = "auto"
) -> tuple[dict[tuple[str, str], CoatScore], float]:
    """Score a model on the test scenes, in each coat, translated to each other coat.

    Args:
        size, device: those of `translate apply`.

    Returns:
        The scores of each pair of coats, and the accuracy of the classifier on the true test images.
    """
    translator = translate.load(model, size=size, device=device)
    images: dict[str, list[Pixels]] = {
        coat: [read_rgb(path) for path in find_images(data / "test" / coat)] for coat in COATS
    }
    classify = train_classifier(len(images[COATS[0]][0]))
    correct = [np.mean(classify(images[coat]) == number) for number, coat in enumerate(COATS)]
    scores = {}
    for source, target in permutations(COATS, 2):
        outputs = [translator(image, to=target) for image in images[source]]
        truths = images[target]
        scores[source, target] = CoatScore(
            float(np.mean(classify(outputs) == COATS.index(target))),
            *(
                float(
                    np.mean(
                        [psnr(image, true, data_range=255) for image, true in zip(some, truths, strict=True)]
                    )
                )
                for some in (outputs, images[source])
            ),
        )
    return scores, float(np.mean(correct))


def print_scores(scores: dict[tuple[str, str], CoatScore], accuracy: float) -> None:
    """Print the scores of each pair of coats, and their means."""
    for (source, target), each in scores.items():
        gain = each.psnr - each.psnr_of_input
        click.echo(
            f"{source} to {target:8}  taken for it {each.hit_rate:6.1%}  PSNR {each.psnr:5.2f} dB,"
            f" {gain:+.2f} dB over the input"
        )
    hit_rate, *levels = (
        np.mean([getattr(each, name) for each in scores.values()])
        for name in ("hit_rate", "psnr", "psnr_of_input")
    )
    click.echo(f"taken for the coat asked for        {hit_rate:.1%} (true images {accuracy:.1%})")
    click.echo(f"PSNR, mean                          {levels[0]:.2f} dB, of the inputs {levels[1]:.2f} dB")
    click.echo(f"gain over the input                 {levels[0] - levels[1]:.2f} dB")
