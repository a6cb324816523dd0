"""Tests of mean absolute error and PSNR, against values known by hand and against scikit-image."""

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


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 13, 3), dtype=np.uint8)


def test_psnr_of_tensors_equals_scikit_image() -> None:
    image, target = images(1, 0), images(1, 1)
    expected = peak_signal_noise_ratio(target.double().numpy(), image.double().numpy(), data_range=2)
    assert psnr(image, target, data_range=2) == pytest.approx(expected)
    assert psnr(image.requires_grad_(), target.numpy(), data_range=2) == pytest.approx(expected)


def test_psnr_of_8_bit_arrays_equals_scikit_image() -> None:
    expected = peak_signal_noise_ratio(pixels(1), pixels(0))
    assert psnr(pixels(0), pixels(1), data_range=255) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("error", "data_range", "decibels"),
    [(2.0, 2, 0), (0.2, 2, 20), (0.02, 2, 40), (255, 255, 0), (51, 255, 13.9794), (1, 255, 48.1308)],
)
def test_psnr_of_a_constant_error(error: float, data_range: float, decibels: float) -> None:
    target = np.zeros((4, 5, 3))
    assert psnr(target + error, target, data_range=data_range) == pytest.approx(decibels, abs=1e-4)


def test_psnr_averages_over_all_values_and_8_bits_do_not_overflow() -> None:
    black = np.zeros((2, 3, 3), dtype=np.uint8)
    image = black.copy()
    image[0, 0] = (3, 4, 5)  # Squares of 50 over 18 values; in 8 bits 0 - 3 would be 253.
    expected = pytest.approx(10 * math.log10(255**2 * 18 / 50))
    assert psnr(black, image, data_range=255) == expected
    assert psnr(image, black, data_range=255) == expected


def test_equal_images_have_infinite_psnr_and_no_l1() -> None:
    assert psnr(images(1, 0), images(1, 0), data_range=2) == math.inf
    assert psnr(pixels(0), pixels(0), data_range=255) == math.inf
    assert l1(images(2, 0), images(2, 0)) == 0


def test_psnr_of_inf_and_nan() -> None:
    target = torch.zeros(2)
    assert psnr(torch.tensor([0, math.inf]), target, data_range=2) == -math.inf
    assert math.isnan(psnr(torch.tensor([0, math.nan]), target, data_range=2))
    assert math.isnan(psnr(torch.tensor([0, math.inf]), torch.tensor([0, math.inf]), data_range=2))


def test_psnr_refuses_images_of_different_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(16, 13, 3\) and \(13, 16, 3\)"):
        psnr(pixels(0), pixels(1).transpose(1, 0, 2), data_range=255)


def test_l1_is_the_mean_absolute_difference() -> None:
    image, target = images(2, 0), images(2, 1)
    expected = np.abs(image.double().numpy() - target.double().numpy()).mean()
    assert l1(image, target) == pytest.approx(expected)
    assert l1(torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2)) == 2


def test_half_precision_is_scored_in_double_precision() -> None:
    image, target = images(1, 0).bfloat16(), images(1, 1)
    assert l1(image, target) == l1(image.double(), target)
    assert psnr(image, target, data_range=2) == psnr(image.double(), target, data_range=2)
