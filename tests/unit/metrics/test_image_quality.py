"""Tests of SSIM, CIEDE2000 and colourfulness, against the papers' formulas and values known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000
from skimage.data import astronaut

from translate.errors import DataError
from translate.metrics import colorfulness, delta_e, psnr, select_pixels, ssim
from translate.metrics.image_quality import Mask, Pixels


def noise(seed: int, height: int = 16, width: int = 13) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain(*color: int, height: int = 2, width: int = 3) -> Pixels:
    return np.full((height, width, 3), color, dtype=np.uint8)


def masked_psnr(image: Pixels, target: Pixels, mask: Mask | None = None) -> float:
    return psnr(*select_pixels(image, target, mask), data_range=255)


def test_equal_images_score_best() -> None:
    assert ssim(noise(0), noise(0)) == pytest.approx(1)
    assert delta_e(noise(0), noise(0)) == 0


@pytest.mark.parametrize("score", [masked_psnr, delta_e])
def test_only_pixels_under_the_mask_count(score) -> None:
    image, target, mask = noise(0), noise(1), np.zeros((16, 13), dtype=bool)
    mask[2:7, 3:12] = True
    expected = score(image[2:7, 3:12], target[2:7, 3:12])
    assert score(image, target, mask) == pytest.approx(expected)
    image[~mask] = 0
    assert score(image, target, mask) == pytest.approx(expected)
    assert score(image, target, np.ones_like(mask)) == pytest.approx(score(image, target))


@pytest.mark.parametrize("score", [masked_psnr, delta_e])
def test_an_empty_mask_is_refused(score) -> None:
    with pytest.raises(DataError, match="mask marks no pixel"):
        score(noise(0), noise(1), np.zeros((16, 13), dtype=bool))


@pytest.mark.parametrize("score", [masked_psnr, delta_e])
@pytest.mark.parametrize("mask", [None, np.ones((16, 13), dtype=bool)])
def test_images_of_different_shapes_are_refused(score, mask: Mask | None) -> None:
    with pytest.raises(ValueError, match=r"\(16, 13, 3\) and \(13, 16, 3\)"):
        score(noise(0), noise(1).transpose(1, 0, 2), mask)


def literal_ssim(x: Pixels, y: Pixels) -> float:
    """Return the paper's eq. 13, averaged over every position of the window."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            for channel in range(3):
                a, b = (p[row : row + 11, column : column + 11, channel].astype(float) for p in (x, y))
                m, n = (window * a).sum(), (window * b).sum()
                covariance = (window * (a - m) * (b - n)).sum()
                variances = (window * (a - m) ** 2).sum() + (window * (b - n) ** 2).sum()
                means = (2 * m * n + c1) / (m**2 + n**2 + c1)
                values.append(means * (2 * covariance + c2) / (variances + c2))
    return float(np.mean(values))


def test_ssim_equals_the_papers_formula() -> None:
    target = astronaut()[100:116, 200:213]
    image = (target * 0.8 + noise(0) * 0.1).astype(np.uint8)
    assert ssim(image, target) == pytest.approx(literal_ssim(image, target), abs=1e-9)
    assert 0.1 < ssim(image, target) < 0.99


def test_ssim_needs_an_image_at_least_as_large_as_its_window() -> None:
    assert ssim(noise(0, 11, 11), noise(0, 11, 11)) == pytest.approx(1)
    with pytest.raises(DataError, match="10 x 11 pixels are too few for SSIM"):
        ssim(noise(0, 11, 10), noise(1, 11, 10))


def test_delta_e_of_black_against_white_is_100() -> None:
    assert delta_e(plain(0), plain(255)) == pytest.approx(100, abs=1e-2)


def test_delta_e_is_ciede2000_of_srgb_colors() -> None:
    # Lindbloom's Lab values of sRGB red and green: (53.24, 80.09, 67.20) and (87.73, -86.18, 83.18).
    expected = deltaE_ciede2000(np.array([53.24, 80.09, 67.20]), np.array([87.73, -86.18, 83.18]))
    assert expected == pytest.approx(86.6, abs=0.1)
    assert delta_e(plain(255, 0, 0), plain(0, 255, 0)) == pytest.approx(expected, abs=0.02)


def test_delta_e_is_the_mean_over_pixels() -> None:
    image = plain(0, height=1, width=4)
    image[0, 0] = 255
    assert delta_e(image, plain(0, height=1, width=4)) == pytest.approx(25, abs=1e-2)


def literal_colorfulness(image: Pixels) -> float:
    rg = [float(r) - float(g) for r, g, _ in image.reshape(-1, 3)]
    yb = [(float(r) + float(g)) / 2 - float(b) for r, g, b in image.reshape(-1, 3)]
    means = [sum(values) / len(values) for values in (rg, yb)]
    variances = [
        sum((v - mean) ** 2 for v in values) / len(values)
        for values, mean in zip((rg, yb), means, strict=True)
    ]
    return math.sqrt(variances[0] + variances[1]) + 0.3 * math.sqrt(means[0] ** 2 + means[1] ** 2)


def test_colorfulness_equals_the_papers_formula() -> None:
    assert colorfulness(noise(0)) == pytest.approx(literal_colorfulness(noise(0)))


def test_colorfulness_of_single_colors() -> None:
    assert colorfulness(plain(77, 77, 77)) == 0
    assert colorfulness(plain(0, 0, 255)) == pytest.approx(0.3 * 255)
    blue_and_yellow = np.array([[[0, 0, 255], [255, 255, 0]]], dtype=np.uint8)  # yb is -255 and 255, rg 0.
    assert colorfulness(blue_and_yellow) == pytest.approx(255)
