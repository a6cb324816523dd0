"""Tests of the kernel distance where it is known, and of the shift that translations make."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from translate.errors import DataError
from translate.metrics import kernel_distance, shift_share
from translate.metrics.frechet import Features
from translate.metrics.kernel import ROWS


def samples(count: int, mean: float, seed: int, dimensions: int = 6) -> Features:
    return np.random.default_rng(seed).normal(size=(count, dimensions)) + mean


def test_the_distance_equals_the_papers_formula() -> None:
    """arXiv:1801.01401, eq. 4, written out: means over pairs of different x or y, and of an x and a y."""

    def k(x: Features, y: Features) -> float:
        return float((x @ y / 6 + 1) ** 3)

    x, y = samples(5, 0, 0), samples(7, 1, 1)
    within = [np.mean([k(a, b) for a, b in permutations(features, 2)]) for features in (x, y)]
    between = np.mean([k(a, b) for a, b in product(x, y)])
    assert kernel_distance(x, y) == pytest.approx(sum(within) - 2 * between, rel=1e-12)


def test_by_hand() -> None:
    """One feature: k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1."""
    x, y = np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]])
    assert kernel_distance(x, y) == 1 + 8 - 2 * 1


def test_sets_of_more_rows_than_are_computed_at_a_time() -> None:
    x, y = samples(ROWS + 300, 0, 0), samples(40, 1, 1)
    assert kernel_distance(x, y) == pytest.approx(kernel_distance(y, x), rel=1e-9)
    doubled = kernel_distance(np.concatenate([x, x]), y)  # Pairs of equal images now count as different.
    assert doubled != pytest.approx(kernel_distance(x, y), rel=1e-6)


def test_the_expected_distance_of_one_distribution_is_zero_for_any_number_of_images() -> None:
    distances = [kernel_distance(samples(8, 0, seed), samples(30, 0, 1000 + seed)) for seed in range(300)]
    error = np.std(distances) / np.sqrt(len(distances))
    assert min(distances) < 0
    assert abs(np.mean(distances)) < 4 * error


def test_one_image_has_no_distance() -> None:
    with pytest.raises(DataError, match="has 1"):
        kernel_distance(samples(1, 0, 0), samples(9, 0, 1))


def test_copies_make_nothing_of_the_shift_between_domains_and_translations_all() -> None:
    inputs, targets = samples(200, 0, 0), samples(200, 3, 1)
    noise = samples(200, 0, 2)
    assert shift_share(inputs, inputs, targets) == 0
    assert shift_share(inputs, inputs + 3, targets) == pytest.approx(1, abs=0.1)
    assert shift_share(inputs, inputs + 1.5, targets) == pytest.approx(0.5, abs=0.05)
    assert shift_share(inputs, targets, targets) == pytest.approx(1)
    assert shift_share(inputs, inputs + noise, targets) == pytest.approx(0, abs=0.1)


def test_domains_that_chance_alone_separates_need_no_shift() -> None:
    shares = [shift_share(x, x, samples(99, 0, 500)) for x in (samples(9, 0, seed) for seed in range(40))]
    assert shares.count(1) > 35
