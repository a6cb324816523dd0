"""Scores against a true answer, checked by other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from translate.metrics import l1, psnr


def images(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 9, 7, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_is_skimages() -> None:
    image, truth = images(1, 0), images(1, 1)
    expected = peak_signal_noise_ratio(truth.double().numpy(), image.double().numpy(), data_range=2)
    assert psnr(image, truth) == pytest.approx(expected)


def test_the_psnr_of_a_batch_is_the_mean_of_its_images() -> None:
    image, truth = images(3, 0), images(3, 1) * torch.tensor([0.1, 0.5, 1]).view(3, 1, 1, 1)
    each = [psnr(image[n : n + 1], truth[n : n + 1]) for n in range(3)]
    assert psnr(image, truth) == pytest.approx(sum(each) / 3)


@pytest.mark.parametrize(("error", "decibels"), [(2.0, 0), (0.2, 20), (0.02, 40)])
def test_psnr_of_a_constant_error(error: float, decibels: float) -> None:
    truth = torch.full((1, 3, 4, 4), -1.0, dtype=torch.float64)
    assert psnr(truth + error, truth) == pytest.approx(decibels, abs=1e-9)


def test_equal_images_are_infinitely_good() -> None:
    assert psnr(images(2, 0), images(2, 0)) == math.inf
    assert l1(images(2, 0), images(2, 0)) == 0


def test_l1_is_the_mean_absolute_difference() -> None:
    image, truth = images(2, 0), images(2, 1)
    assert l1(image, truth) == pytest.approx(np.abs(image.double().numpy() - truth.double().numpy()).mean())
    assert l1(torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2)) == 2


@pytest.mark.parametrize("score", [psnr, l1])
def test_half_precision_is_scored_in_double(score) -> None:
    image, truth = images(1, 0).bfloat16(), images(1, 1)
    assert score(image, truth) == score(image.double(), truth)
