"""Scores of 8-bit images: by hand where a hand can, by scikit-image elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio

from translate.errors import DataError
from translate.metrics import colorfulness, delta_e, image_psnr, ssim
from translate.metrics.images import Pixels


def noise(seed: int, height: int = 16, width: int = 13) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain(*color: int, height: int = 2, width: int = 3) -> Pixels:
    return np.full((height, width, 3), color, dtype=np.uint8)


@pytest.mark.parametrize(("error", "decibels"), [(255, 0.0), (51, 13.9794), (1, 48.1308)])
def test_psnr_of_a_constant_error(error: int, decibels: float) -> None:
    assert image_psnr(plain(error), plain(0)) == pytest.approx(decibels, abs=1e-4)


def test_psnr_counts_each_value_once() -> None:
    image = plain(0)
    image[0, 0] = (3, 4, 5)  # 50 over 18 values; in 8 bits 0 - 3 would be 253
    assert image_psnr(plain(0), image) == pytest.approx(10 * math.log10(255**2 * 18 / 50))
    assert image_psnr(image, plain(0)) == image_psnr(plain(0), image)


def test_psnr_is_skimages() -> None:
    assert image_psnr(noise(0), noise(1)) == pytest.approx(peak_signal_noise_ratio(noise(1), noise(0)))


def test_equal_images_score_best() -> None:
    assert image_psnr(noise(0), noise(0)) == math.inf
    assert ssim(noise(0), noise(0)) == pytest.approx(1)
    assert delta_e(noise(0), noise(0)) == 0


@pytest.mark.parametrize("score", [image_psnr, delta_e])
def test_only_pixels_under_the_mask_count(score) -> None:
    image, truth, where = noise(0), noise(1), np.zeros((16, 13), dtype=bool)
    where[2:7, 3:12] = True
    expected = score(image[2:7, 3:12], truth[2:7, 3:12])
    assert score(image, truth, where) == pytest.approx(expected)
    image[~where] = 0
    assert score(image, truth, where) == pytest.approx(expected)
    assert score(image, truth, np.ones_like(where)) == pytest.approx(score(image, truth))


@pytest.mark.parametrize("score", [image_psnr, delta_e])
def test_an_empty_mask_is_refused(score) -> None:
    with pytest.raises(DataError, match="marks no pixel"):
        score(noise(0), noise(1), np.zeros((16, 13), dtype=bool))


@pytest.mark.parametrize("score", [image_psnr, delta_e])
def test_a_turned_image_is_a_bug(score) -> None:
    with pytest.raises(AssertionError):
        score(noise(0), noise(1).transpose(1, 0, 2), np.ones((16, 13), dtype=bool))


def literal_ssim(x: Pixels, y: Pixels) -> float:
    """The paper's eq. 13 at every place of the window, one after the other."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            for channel in range(3):
                a, b = (p[row : row + 11, column : column + 11, channel].astype(float) for p in (x, y))
                m, n = (window * a).sum(), (window * b).sum()
                covariance = (window * (a - m) * (b - n)).sum()
                variances = (window * (a - m) ** 2).sum() + (window * (b - n) ** 2).sum()
                means = (2 * m * n + c1) / (m**2 + n**2 + c1)
                found.append(means * (2 * covariance + c2) / (variances + c2))
    return float(np.mean(found))


def test_ssim_is_the_papers() -> None:
    truth = astronaut()[100:116, 200:213]
    image = (truth * 0.8 + noise(0) * 0.1).astype(np.uint8)
    assert ssim(image, truth) == pytest.approx(literal_ssim(image, truth), abs=1e-9)
    assert 0.1 < ssim(image, truth) < 0.99


def test_ssim_takes_images_as_large_as_its_window() -> None:
    assert ssim(noise(0, 11, 11), noise(0, 11, 11)) == pytest.approx(1)
    with pytest.raises(DataError, match="10 x 11 pixels are too few for SSIM"):
        ssim(noise(0, 11, 10), noise(1, 11, 10))


def test_delta_e_of_black_to_white_is_100() -> None:
    assert delta_e(plain(0), plain(255)) == pytest.approx(100, abs=1e-2)


def test_delta_e_weighs_a_color_as_ciede2000_does() -> None:
    # sRGB's red and green in Lab, as Lindbloom gives them: (53.24, 80.09, 67.20), (87.73, -86.18, 83.18)
    expected = deltaE_ciede2000(np.array([53.24, 80.09, 67.20]), np.array([87.73, -86.18, 83.18]))
    assert expected == pytest.approx(86.6, abs=0.1)
    assert delta_e(plain(255, 0, 0), plain(0, 255, 0)) == pytest.approx(expected, abs=0.02)


def test_delta_e_is_the_mean_of_pixels() -> None:
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


def test_colorfulness_is_the_papers() -> None:
    assert colorfulness(noise(0)) == pytest.approx(literal_colorfulness(noise(0)))


def test_colorfulness_by_hand() -> None:
    assert colorfulness(plain(77, 77, 77)) == 0
    assert colorfulness(plain(0, 0, 255)) == pytest.approx(0.3 * 255)
    blue_and_yellow = np.array([[[0, 0, 255], [255, 255, 0]]], dtype=np.uint8)  # yb -255 and 255, rg 0
    assert colorfulness(blue_and_yellow) == pytest.approx(255)
