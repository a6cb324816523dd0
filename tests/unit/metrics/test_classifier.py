"""The small network by which samples' classes are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from translate.metrics import classifier
from translate.metrics.classifier import Classifier
from translate.metrics.images import Pixels


def stripes(count: int) -> tuple[list[Pixels], list[int]]:
    """Noise with stripes: upright ones are of class 1, those that lie of class 0."""
    random = np.random.default_rng(0)
    images, labels = [], []
    for number in range(count):
        lines = np.tile(np.where(np.arange(40) // 4 % 2, 200, 60), (40, 1))
        image = (lines if number % 2 else lines.T)[..., None] + random.integers(-60, 56, (40, 40, 3))
        images.append(image.astype(np.uint8))
        labels.append(number % 2)
    return images, labels


def test_it_learns_the_classes_and_says_how_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 20)
    images, labels = stripes(60)
    steps: list[int] = []
    learnt = Classifier(images, labels, 2, lambda done, total: steps.append(done))
    assert learnt.accuracy == 1
    assert (learnt(images[:7]) == labels[:7]).all()
    assert steps == list(range(1, 21))


def test_no_accuracy_is_claimed_where_classes_are_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 20)
    images, _ = stripes(200)
    chance = np.random.default_rng(1).integers(0, 2, 200).tolist()
    assert Classifier(images, chance, 2).accuracy < 0.9


def test_it_is_the_same_each_time_and_draws_nothing_of_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 3)
    images, labels = stripes(40)
    before = torch.get_rng_state()
    first, second = (Classifier(images, labels, 2) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first._network.parameters(), second._network.parameters(), strict=True):
        assert torch.equal(a, b)
