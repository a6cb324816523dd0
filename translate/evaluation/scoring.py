"""Score single images by their truth and sets of images as sets, and hold what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from translate.images import Hole, Pixels
from translate.metrics import ImageFeatures, colorfulness, delta_e, frechet_distance, image_psnr, ssim
from translate.metrics.frechet import FEATURES, Features

ROUNDING = 1e-6  # a distance below it is rounding: nothing is a share of it
MAX_PSNR = 100.0  # dB, of equal images, so that a mean is finite
TRUE_COLORFULNESS = "true-colorfulness"

Progress = Callable[[float, int], None]  # is called with how many images are done, and how many there are


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        group: the size of the holes, or the direction; empty where rows have no groups.
        name: what gave the images: the model, or what it is compared with.
        images: how many were scored.
        values: the mean of each score, and shares of what it is compared with; None where there is none.
    """

    group: str
    name: str
    images: int
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """The rows that a suite gives, and how they were come by.

    Attributes:
        protocol: which images were scored, at what size, and with which holes.
        images: how many images of the data were scored, or compared with.
        left_out: why each of the others was not.
        notes: what a person should know besides.
    """

    rows: list[Row]
    protocol: dict[str, str]
    images: int
    left_out: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Evaluation(SuiteResult):
    """A model's scores, with all that comparing them takes.

    Attributes:
        kind: the kind of the model.
        suite: the name of the suite, one of `translate.evaluation.suites.SUITES`.
        group: what the groups of the rows are: `hole`, `direction`; empty where rows have no groups.
        fingerprint: the model's own name for what it computes.
        version: of translate.
        device, precision: the arithmetic by which the model was applied.
    """

    kind: str
    suite: str
    group: str
    fingerprint: str
    version: str
    device: str
    precision: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """Asks a suite for scores of a data set.

    Attributes:
        data: a folder in one of the layouts of `translate.data.discovery.find`, or its name.
        scorer: takes the scores of single images, and the features of sets.
        scores: the names of those that are asked for.
        masks: a folder of masks, white in the hole; None draws them.
        baselines: fill the holes without a model, too.
    """

    data: str
    scorer: ImageScorer
    scores: Sequence[str] = ()
    masks: Path | None = None
    baselines: bool = False
    progress: Progress = lambda done, total: None


@dataclass(frozen=True)
class ImageScores:
    """The scores of an image; its features and its truth's, (1, 1280) or, where no one asks, (0, 1280)."""

    values: dict[str, float]
    features: Features
    true_features: Features


MEASURES: dict[str, Callable[[Pixels, Pixels, Hole | None], float]] = {
    "psnr": lambda image, truth, where: min(MAX_PSNR, image_psnr(image, truth, where)),
    "ssim": lambda image, truth, where: ssim(image, truth),
    "delta-e": delta_e,
    "colorfulness": lambda image, truth, where: colorfulness(image),
}


class ImageScorer:
    """A scorer of images, (H, W, 3) uint8, by their truth.

    Args:
        scores: those of `MEASURES` that it takes; it passes over other names.
        network: gives the features that the Frechet distance takes; None is without that.
    """

    def __init__(self, scores: Sequence[str], network: ImageFeatures | None = None) -> None:
        self.measures = {score: MEASURES[score] for score in MEASURES if score in scores}
        self._network = network
        self._truth: tuple[Pixels | None, Features] = (None, np.empty((0, FEATURES)))

    def features(self, image: Pixels) -> Features:
        """Return the features of an image, (1, 1280), or (0, 1280) without a network."""
        return self._network([image]) if self._network else np.empty((0, FEATURES))

    def __call__(self, image: Pixels, truth: Pixels, where: Hole | None = None) -> ImageScores:
        """Score an image; PSNR and CIEDE2000 look at the pixels `where` only.

        Raises:
            DataError: the image is too small for SSIM, or no pixel counts.
        """
        if truth is not self._truth[0]:  # many rows share one truth, whose features take as long as theirs
            self._truth = (truth, self.features(truth))
        values = {score: measure(image, truth, where) for score, measure in self.measures.items()}
        if "colorfulness" in values:
            values[TRUE_COLORFULNESS] = colorfulness(truth)
        return ImageScores(values, self.features(image), self._truth[1])


def distance(features: Sequence[Features], others: Sequence[Features]) -> float | None:
    """Return the Frechet distance of two sets; None where one of them has fewer than 2 images."""
    if min(len(features), len(others)) < 2:
        return None
    return frechet_distance(np.concatenate(features), np.concatenate(others))


def share_of(value: float | None, whole: float | None) -> float | None:
    """Return a value as a share of another; None where one is missing, or the other is nothing."""
    return value / whole if value is not None and whole is not None and whole > ROUNDING else None
