"""Score images against their ground truth, and hold the request and the result of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from translate.images import Hole, Pixels
from translate.metrics import (
    FeatureNetwork,
    colorfulness,
    delta_e,
    frechet_distance,
    kernel_distance,
    psnr,
    select_pixels,
    ssim,
)
from translate.metrics.frechet import FEATURE_DIM, Features

EPSILON = 1e-6  # a score below it is rounding error, and no ratio is taken to it
MAX_PSNR = 100.0  # dB; the PSNR of identical images is infinite, and so would be its mean
TRUE_COLORFULNESS = "true-colorfulness"

Progress = Callable[[float, int], None]  # called with the number of images done and their total


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        group: the range of hole sizes or the direction; empty if the rows are not grouped.
        name: the source of the images: the model, or a baseline that it is compared with.
        images: the number of images scored.
        values: the mean of each score, and its ratio to that of a baseline; None if it is undefined.
    """

    group: str
    name: str
    images: int
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """The rows of a suite, and how they were computed.

    Attributes:
        protocol: which images were scored, at which size, and with which holes.
        images: the number of images of the dataset that were scored or compared with.
        skipped: for each of the other images the reason why it could not be scored.
        notes: warnings for the user.
    """

    rows: list[Row]
    protocol: dict[str, str]
    images: int
    skipped: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Evaluation(SuiteResult):
    """The scores of a model, with all that is needed to compare them with others.

    Attributes:
        kind: the kind of the model.
        suite: the name of the suite, one of `translate.evaluation.suites.SUITES`.
        group: what the rows are grouped by: `hole` or `direction`; empty if they are not grouped.
        fingerprint: a hash of the model's weights and settings.
        version: the version of translate.
        device, precision: where and in which precision the model was applied.
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
    """The dataset to score a model on, and the scores to compute.

    Attributes:
        data: a folder in one of the layouts of `translate.data.discovery.find`, or its name.
        scorer: computes the scores of single images, and the features for the Frechet distance.
        scores: the names of the requested scores.
        masks: a folder of masks, white in the hole; None draws random holes.
        labels: a table of the domains or attributes of the images; None for sub-folders.
        baselines: also fill the holes by methods that need no model.
        progress: called as images are scored.
    """

    data: str
    scorer: ImageScorer
    scores: Sequence[str] = ()
    masks: Path | None = None
    labels: Path | None = None
    baselines: bool = False
    progress: Progress = lambda done, total: None


@dataclass(frozen=True)
class ImageScores:
    """The scores of an image, and the features of it and of its ground truth.

    The features have the shape (1, D), or (0, D) without a feature network.
    """

    values: dict[str, float]
    features: Features
    true_features: Features


IMAGE_METRICS: dict[str, Callable[[Pixels, Pixels, Hole | None], float]] = {
    "psnr": lambda image, truth, region: min(
        MAX_PSNR, psnr(*select_pixels(image, truth, region), data_range=255)
    ),
    "ssim": lambda image, truth, region: ssim(image, truth),
    "delta-e": delta_e,
    "colorfulness": lambda image, truth, region: colorfulness(image),
}


class ImageScorer:
    """A function that scores images, (H, W, 3) uint8, against their ground truth.

    Args:
        scores: the names of the scores; those that are not in `IMAGE_METRICS` are ignored.
        network: extracts the features for the distances between sets; None skips them.
    """

    def __init__(self, scores: Sequence[str], network: FeatureNetwork | None = None) -> None:
        self.metrics = {score: IMAGE_METRICS[score] for score in IMAGE_METRICS if score in scores}
        self._network = network
        self._truth: tuple[Pixels | None, Features] = (None, np.empty((0, FEATURE_DIM)))

    @property
    def network_name(self) -> str:
        """Return the name of the feature network; empty without one."""
        return self._network.name if self._network else ""

    def features(self, image: Pixels) -> Features:
        """Return the features of an image, (1, D), or (0, D) without a network."""
        return self._network([image]) if self._network else np.empty((0, FEATURE_DIM))

    def __call__(self, image: Pixels, truth: Pixels, region: Hole | None = None) -> ImageScores:
        """Score an image; PSNR and CIEDE2000 compare the pixels of the region only.

        Raises:
            DataError: the image is too small for SSIM, or the region is empty.
        """
        # Many rows share a ground truth, and its features take as long to compute as an image's own.
        if truth is not self._truth[0]:
            self._truth = (truth, self.features(truth))
        values = {score: metric(image, truth, region) for score, metric in self.metrics.items()}
        if "colorfulness" in values:
            values[TRUE_COLORFULNESS] = colorfulness(truth)
        return ImageScores(values, self.features(image), self._truth[1])


SET_DISTANCES: dict[str, Callable[[Features, Features], float]] = {
    "frechet": frechet_distance,
    "kernel": kernel_distance,
}


def compare_sets(
    names: Sequence[str], features: Sequence[Features], others: Sequence[Features]
) -> dict[str, float | None]:
    """Return distances between two sets of images; None for each if one has fewer than 2 images.

    Args:
        names: those of all requested scores; those that are not in `SET_DISTANCES` are ignored.
    """
    distances = {name: distance for name, distance in SET_DISTANCES.items() if name in names}
    if min(len(features), len(others)) < 2:
        return dict.fromkeys(distances)
    sets = np.concatenate(features), np.concatenate(others)
    return {name: distance(*sets) for name, distance in distances.items()}


def frechet_or_none(features: Sequence[Features], others: Sequence[Features]) -> float | None:
    """Return the Frechet distance between two sets of images; None if one has fewer than 2 images."""
    return compare_sets(["frechet"], features, others)["frechet"]


def ratio(value: float | None, base: float | None) -> float | None:
    """Return a score as a fraction of a base; None if either is missing or the base is 0 up to rounding."""
    return value / base if value is not None and base is not None and base > EPSILON else None
