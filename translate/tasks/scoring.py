"""What scores are made of: rows of a table, and who scores a picture by its truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from translate.images import Hole, Pixels
from translate.metrics import PictureFeatures, colorfulness, delta_e, frechet_distance, picture_psnr, ssim
from translate.metrics.frechet import FEATURES, Features

ROUNDING = 1e-6  # of no meaning, and nothing to have a share of
MOST_DECIBELS = 100.0  # what equal pictures count as, so that a mean is finite


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        group: the size of the holes, or the direction; empty where rows have no groups.
        name: who made the pictures.
        pictures: how many were scored.
        values: by score, and shares of what it is compared with; None where there is none.
    """

    group: str
    name: str
    pictures: int
    values: dict[str, float | None]


@dataclass(frozen=True)
class Evaluation:
    """What came of it.

    Attributes:
        protocol: which pictures, at what size, and with which holes.
        pictures: how many of the data were scored, or compared with.
        left_out: why each of the others was not.
        notes: what a person should be told besides.
    """

    rows: list[Row]
    protocol: dict[str, str]
    pictures: int
    left_out: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scored:
    """One picture's scores; its features and its truth's, (1, 1280) or, where no one asks, (0, 1280)."""

    values: dict[str, float]
    features: Features
    true_features: Features


Scores = dict[tuple[str, str], Scored]  # of one picture, by group and name of the row
TRUE_COLORFULNESS = "true-colorfulness"
MEASURES: dict[str, Callable[[Pixels, Pixels, Hole | None], float]] = {
    "psnr": lambda image, truth, where: min(MOST_DECIBELS, picture_psnr(image, truth, where)),
    "ssim": lambda image, truth, where: ssim(image, truth),
    "delta-e": delta_e,
    "colorfulness": lambda image, truth, where: colorfulness(image),
}


class Critic:
    """Scores pictures, (H, W, 3), by their truth.

    Args:
        scores: of `psnr`, `ssim`, `delta-e`, `colorfulness`.
        network: gives the features that the Frechet distance takes; None is without that.
    """

    def __init__(self, scores: Sequence[str], network: PictureFeatures | None = None) -> None:
        self.measures = {score: MEASURES[score] for score in MEASURES if score in scores}
        self._network = network
        self._truth: tuple[Pixels | None, Features] = (None, np.empty((0, FEATURES)))

    def features(self, picture: Pixels) -> Features:
        """(1, 1280), or (0, 1280) without a network."""
        return self._network([picture]) if self._network else np.empty((0, FEATURES))

    def __call__(self, image: Pixels, truth: Pixels, where: Hole | None = None) -> Scored:
        """The scores; of PSNR and CIEDE2000 at the pixels `where` alone.

        Raises:
            DataError: the picture is too small for SSIM, or no pixel counts.
        """
        if truth is not self._truth[0]:  # many rows have the same one
            self._truth = (truth, self.features(truth))
        values = {score: measure(image, truth, where) for score, measure in self.measures.items()}
        if "colorfulness" in values:
            values[TRUE_COLORFULNESS] = colorfulness(truth)
        return Scored(values, self.features(image), self._truth[1])


def distance(features: Sequence[Features], others: Sequence[Features]) -> float | None:
    """The Frechet distance of two sets; None where one of them has fewer than 2 pictures."""
    if min(len(features), len(others)) < 2:
        return None
    return frechet_distance(np.concatenate(features), np.concatenate(others))


def share_of(value: float | None, whole: float | None) -> float | None:
    """A value as a share of another; None where one is missing, or the other is nothing."""
    return value / whole if value is not None and whole is not None and whole > ROUNDING else None
