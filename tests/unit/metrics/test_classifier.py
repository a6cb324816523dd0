"""Tests of the small classifier that scores generated images by class."""

from __future__ import annotations

import numpy as np
import torch

from translate.metrics.classifier import Classifier
from translate.metrics.image_quality import Pixels


def stripes(count: int) -> tuple[list[Pixels], list[int]]:
    """Return noisy stripes and their classes: 1 for vertical ones, 0 for horizontal ones."""
    random = np.random.default_rng(0)
    images, labels = [], []
    for number in range(count):
        lines = np.tile(np.where(np.arange(40) // 4 % 2, 200, 60), (40, 1))
        image = (lines if number % 2 else lines.T)[..., None] + random.integers(-60, 56, (40, 40, 3))
        images.append(image.astype(np.uint8))
        labels.append(number % 2)
    return images, labels


def test_it_learns_the_classes_and_reports_its_accuracy_and_progress() -> None:
    images, labels = stripes(60)
    progress: list[tuple[int, int]] = []
    classifier = Classifier(images, labels, 2, lambda *state: progress.append(state), steps=20)
    assert classifier.accuracy == 1
    assert (classifier(images[:7]) == labels[:7]).all()
    assert progress == [(step, 20) for step in range(1, 21)]


def test_the_accuracy_on_random_labels_is_not_that_of_the_training_set() -> None:
    images, _ = stripes(200)
    labels = np.random.default_rng(1).integers(0, 2, 200).tolist()
    assert Classifier(images, labels, 2, steps=20).accuracy < 0.9


def test_it_is_reproducible_and_leaves_torchs_random_state_alone() -> None:
    images, labels = stripes(40)
    blobs = list(np.random.default_rng(0).integers(0, 256, (500, 4, 4, 3), dtype=np.uint8))
    state = torch.get_rng_state()
    predictions = [Classifier(images, labels, 2, steps=20)(blobs) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert set(predictions[0]) == {0, 1}  # The images are of neither class, so small differences show.
    assert (predictions[0] == predictions[1]).all()
