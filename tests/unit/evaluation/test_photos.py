"""Crops of photos, skipped images, progress, and the features of the ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.images import noise
from tests.unit.evaluation.helpers import (
    StubFeatures,
    StubPredictor,
    fill_with_error,
    score_colorization,
    score_inpainting,
    write_photos,
)
from translate.errors import DataError
from translate.evaluation.photos import crop_photo
from translate.evaluation.scoring import ImageScorer


def random_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_large_photo_is_scaled_down_by_area_and_center_cropped() -> None:
    photo = random_photo(512, 800)
    block_means = photo[:, 144:656].reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop_photo(photo) - block_means).max() <= 0.5
    assert crop_photo(photo.transpose(1, 0, 2)).shape == (256, 256, 3)


@pytest.mark.parametrize(("height", "width"), [(300, 100), (100, 300), (256, 257), (1, 9), (256, 256)])
def test_a_small_photo_is_cropped_and_never_enlarged(height: int, width: int) -> None:
    photo = random_photo(height, width)
    top, left = max(0, height - 256) // 2, max(0, width - 256) // 2
    assert np.array_equal(crop_photo(photo), photo[top : top + 256, left : left + 256])


@pytest.mark.parametrize(("height", "width"), [(257, 4001), (333, 333), (1023, 769)])
def test_the_crop_of_a_large_photo_has_256_pixels_a_side(height: int, width: int) -> None:
    assert crop_photo(np.zeros((height, width, 3), np.uint8)).shape == (256, 256, 3)


def test_a_photo_slightly_over_256_pixels_is_scaled_instead_of_cropped() -> None:
    framed = np.full((280, 280, 3), 255, np.uint8)
    framed[8:-8, 8:-8] = 0
    assert crop_photo(framed)[[0, -1], :6].min() == 255


def test_an_image_that_cannot_be_scored_is_skipped_in_every_row_with_its_reason(tmp_path: Path) -> None:
    write_photos(tmp_path, 2)
    (tmp_path / "broken.png").write_bytes(b"no image")
    noise(tmp_path / "small.png", 8, 40)
    result = score_colorization(tmp_path, StubPredictor(lambda photo: photo))
    assert {row.images for row in result.rows} == {result.images} == {2}
    broken, small = result.skipped
    assert broken.startswith(f"{tmp_path / 'broken.png'}: ")
    assert small.startswith(f"{tmp_path / 'small.png'}: ")
    assert "SSIM" in small
    without_ssim = score_colorization(tmp_path, StubPredictor(lambda photo: photo), scores=["psnr"])
    assert without_ssim.images == 3


def test_a_dataset_without_an_image_that_can_be_scored_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png: not an image"):
        score_colorization(tmp_path, StubPredictor(lambda photo: photo))


@pytest.mark.parametrize("score", [score_colorization, score_inpainting])
def test_progress_increases_up_to_the_number_of_images(tmp_path: Path, score: Any) -> None:
    calls: list[tuple[float, int]] = []
    predictor = StubPredictor(lambda photo, hole=None: photo)
    score(write_photos(tmp_path), predictor, scores=["psnr"], progress=lambda *call: calls.append(call))
    images_done = [done for done, _ in calls]
    assert {total for _, total in calls} == {3}
    assert images_done == sorted(images_done)
    assert {0, 1, 2} <= set(images_done)
    assert images_done[-1] < 3


def test_rows_share_the_features_of_the_ground_truth() -> None:
    scorer = ImageScorer([], StubFeatures())
    truth, first, second = (random_photo(16, 16, seed) for seed in range(3))
    features = scorer(first, truth).true_features
    assert scorer(second, truth).true_features is features
    assert np.array_equal(features, StubFeatures()([truth]))
    assert np.array_equal(scorer(first, second).true_features, StubFeatures()([second]))


def test_scoring_does_not_advance_the_global_random_generator(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    score_inpainting(write_photos(tmp_path, 1), fill_with_error(5))
    assert torch.equal(state, torch.get_rng_state())
