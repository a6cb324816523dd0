"""Scores of samples as a set, against a dataset: the class that was requested, and the diversity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from translate.config import GenerationModelConfig
from translate.data.discovery.labels import LabeledImages, find_labeled
from translate.errors import DataError, UsageError
from translate.evaluation.scoring import Request, ratio
from translate.images import Pixels, resize_and_center_crop, to_tensor
from translate.metrics.classifier import Classifier, Labels
from translate.models.feature_networks import load_diversity

MAX_SAMPLES = 2000  # for each row, and images of the dataset that they are compared with
MIN_LABELED, MAX_LABELED = 100, 20_000  # images to train the classifier on

ReportProgress = Callable[[float], None]  # called with the fraction of a stage that is done


@dataclass(frozen=True)
class SampleScore:
    """A score of samples in the order of `Sampler.draw`; None if they have none.

    Attributes:
        score: the function of samples, (H, W, 3) uint8 each.
        protocol: how it is computed, in words.
    """

    score: Callable[[Sequence[Pixels]], float | None]
    protocol: str


def load_sample_scores(
    request: Request, config: GenerationModelConfig, report_progress: ReportProgress
) -> tuple[dict[str, SampleScore], list[str]]:
    """Return the requested scores by name, and a note for each that the dataset does not allow.

    Raises:
        UsageError: the only requested score is one that the dataset does not allow.
    """
    loaders: dict[str, Callable[[], SampleScore]] = {
        "class": lambda: _load_class_score(request.data, config, report_progress),
        "diversity": lambda: _load_diversity_score(request.data, config),
    }
    scores: dict[str, SampleScore] = {}
    notes = []
    for name, load in loaders.items():
        if name not in request.scores:
            continue
        try:
            scores[name] = load()
        except UsageError as error:
            if list(request.scores) == [name]:
                raise
            notes.append(f"the {name} is not scored: {error}")
    return scores, notes


def read_images(
    dataset: LabeledImages, config: GenerationModelConfig, max_count: int, skipped: list[str]
) -> Iterator[tuple[int, Pixels]]:
    """Read evenly spaced images of the dataset as in training; yield them with their indices.

    Args:
        skipped: the reason is appended for each image that cannot be read.
    """
    side = config.image_size
    count = min(max_count, len(dataset.images))
    for index in np.linspace(0, len(dataset.images) - 1, count).astype(int):
        try:
            image = resize_and_center_crop(
                dataset.read_image(index, side, config.value_range_of("image")), side
            )
        except DataError as error:
            skipped.append(str(error))
            continue
        if config.out_channels == 1:
            image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        yield int(index), np.asarray(image, np.uint8)


def _find_classes(data: str, config: GenerationModelConfig) -> LabeledImages:
    """Find the images of a dataset, and their classes.

    Raises:
        UsageError: the dataset has no classes, or others than the model.
    """
    dataset = find_labeled(data, with_classes=True)
    if config.classes not in ([], dataset.classes):
        raise UsageError(f"{data} has other classes than the model: give the dataset that it was trained on")
    return dataset


def _load_class_score(
    data: str, config: GenerationModelConfig, report_progress: ReportProgress
) -> SampleScore:
    """Train a classifier on the classes of the dataset.

    Raises:
        UsageError: the dataset has fewer than two classes, other classes than the model, or few images.
    """
    dataset = _find_classes(data, config)
    if len(dataset.classes) < 2 or len(dataset.images) < MIN_LABELED:
        classes = f"{len(dataset.classes)} {'class' if len(dataset.classes) == 1 else 'classes'}"
        raise UsageError(
            f"{data} has {classes} and {len(dataset.images)} images: give 2 classes or more and"
            f" {MIN_LABELED} images or more"
        )
    indices, images = zip(*read_images(dataset, config, MAX_LABELED, []), strict=True)
    classifier = Classifier(
        images,
        [dataset.labels[index] for index in indices],
        len(dataset.classes),
        lambda done, total: report_progress(done / total),
    )
    target = "the requested class" if config.classes else "the class that best matches their category"
    protocol = (
        f"fraction of the samples that a small CNN assigns to {target}; trained on nine in ten of"
        f" {len(images)} images of the dataset, it has an accuracy of {classifier.accuracy:.0%} on the others"
    )
    return SampleScore(lambda samples: class_accuracy(classifier(samples), config), protocol)


def class_accuracy(predictions: Labels, config: GenerationModelConfig) -> float:
    """Return the fraction of samples, in the order of `Sampler.draw`, whose predicted class is right.

    For a conditional model the right class is the requested one. The categories of InfoGAN have no classes:
    each is assigned to one class, no two to the same, so that the accuracy is highest.
    """
    # Imported here because importing SciPy's optimizers takes long.
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    numbers = np.arange(len(predictions))
    if config.classes:
        return float((predictions == numbers % len(config.classes)).mean())
    counts = np.zeros((config.categories, int(predictions.max()) + 1), int)
    np.add.at(counts, (numbers % config.categories, predictions), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(predictions))


def _load_diversity_score(data: str, config: GenerationModelConfig) -> SampleScore:
    """Measure the diversity of the dataset; within each class, if the model has classes.

    Raises:
        UsageError: the dataset has other classes than the model.
    """
    has_classes = bool(config.classes)
    dataset = _find_classes(data, config) if has_classes else find_labeled(data, with_classes=False)
    classes = max(1, len(config.classes))
    real: list[list[Pixels]] = [[] for _ in range(classes)]
    for index, image in read_images(dataset, config, MAX_SAMPLES, []):
        real[dataset.labels[index] if has_classes else 0].append(image)
    diversities = [_diversity(images) for images in real]

    def score(samples: Sequence[Pixels]) -> float | None:
        pairs = ((_diversity(samples[number::classes]), each) for number, each in enumerate(diversities))
        shares = [share for pair in pairs if (share := ratio(*pair)) is not None]
        return float(np.mean(shares)) if shares else None

    within = " of a class; mean over the classes" if has_classes else ""
    protocol = (
        "mean distance of two samples, by features of EfficientNet-Lite0, as a share of that of two images"
        f" of the dataset{within}; about 100% is good, and far below, the samples are too much alike"
    )
    return SampleScore(score, protocol)


def _diversity(images: Sequence[Pixels]) -> float | None:
    """Return the mean distance of two of the images; None if there are fewer."""
    if len(images) < 2:
        return None
    return load_diversity()(torch.cat([to_tensor(image) for image in images]))
