"""Scores of colorization, for predictors whose results are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.evaluation.helpers import (
    StubFeatures,
    StubPredictor,
    create_colorizer,
    create_predictor,
    find_row,
    score_colorization,
    write_photos,
)
from tests.unit.inference.making import scene
from translate.evaluation.colorization import to_gray
from translate.evaluation.photos import crop_photo
from translate.evaluation.scoring import ImageScorer
from translate.images import read_rgb, write_rgb
from translate.images.color.lab import split_lab
from translate.images.tensors import to_tensor
from translate.metrics import frechet_distance, psnr, ssim


def perfect() -> StubPredictor:
    """Create a predictor that returns the ground truth, which the stub is given in colour."""
    return StubPredictor(lambda photo: photo)


def test_to_gray_keeps_the_lightness_and_removes_the_colour() -> None:
    image = scene(30, 40)
    gray = to_gray(image)
    assert np.ptp(gray.astype(int), axis=2).max() <= 1
    lightness, lightness_of_gray = (split_lab(to_tensor(pixels))[0] for pixels in (image, gray))
    assert (lightness - lightness_of_gray).abs().max() < 0.01
    assert np.abs(to_gray(gray).astype(int) - gray).max() <= 1


def test_a_perfect_model_has_perfect_scores_and_the_gray_baseline_has_not(tmp_path: Path) -> None:
    result = score_colorization(write_photos(tmp_path), perfect())
    assert [row.name for row in result.rows] == ["gray", "model"]
    values = dict(find_row(result, "model").values)
    assert values.pop("colorfulness") > 0
    assert values == pytest.approx(
        {
            "psnr": 100,
            "ssim": 1,
            "delta-e": 0,
            "colorfulness-share": 1,
            "frechet": 0,
            "frechet-share": 0,
        },
        abs=1e-9,
    )
    gray = find_row(result, "gray")
    assert gray.values["frechet-share"] == 1
    assert gray.values["colorfulness-share"] < 0.1
    assert gray.values["psnr"] < 100
    assert (result.images, gray.images, result.skipped) == (3, 3, [])


def test_scores_are_means_over_the_images(tmp_path: Path) -> None:
    files = sorted(write_photos(tmp_path).iterdir())
    result = score_colorization(tmp_path, StubPredictor(lambda photo: 255 - photo))
    photos = [crop_photo(read_rgb(path)) for path in files]
    mean_psnr = np.mean([psnr(255 - photo, photo, data_range=255) for photo in photos])
    assert find_row(result, "model").values["psnr"] == pytest.approx(mean_psnr)
    mean_ssim = np.mean([ssim(to_gray(photo), photo) for photo in photos])
    assert find_row(result, "gray").values["ssim"] == pytest.approx(mean_ssim)
    features = StubFeatures()
    distance = frechet_distance(features([to_gray(photo) for photo in photos]), features(photos))
    assert find_row(result, "gray").values["frechet"] == pytest.approx(distance)


def test_all_photos_of_a_flat_folder_are_scored(tmp_path: Path) -> None:
    result = score_colorization(write_photos(tmp_path, 21), perfect(), scores=["psnr"])
    assert result.images == 21
    assert result.protocol["images"].startswith(f"all photos of {tmp_path};")


@pytest.mark.parametrize(("part", "images"), [("train", 2), ("val", 21), ("test", 21)])
def test_only_the_validation_set_is_scored_if_there_is_one(tmp_path: Path, part: str, images: int) -> None:
    write_photos(tmp_path / "train", 21)
    write_photos(tmp_path / part, 21)
    result = score_colorization(tmp_path, perfect(), scores=["psnr"])
    assert result.images == images
    assert result.protocol["images"].startswith(f"validation photos of {tmp_path};")


def test_ratios_to_a_gray_ground_truth_are_undefined(tmp_path: Path) -> None:
    for seed in range(2):
        write_rgb(np.full((16, 16, 3), 100 * seed, np.uint8), tmp_path / f"{seed}.png")
    result = score_colorization(tmp_path, perfect())
    assert find_row(result, "model").values["colorfulness-share"] is None
    assert find_row(result, "model").values["frechet-share"] is None
    assert find_row(result, "gray").values["psnr"] == 100


def test_the_frechet_distance_of_one_image_is_undefined(tmp_path: Path) -> None:
    result = score_colorization(write_photos(tmp_path, 1), perfect())
    assert find_row(result, "model").values["frechet"] is None
    assert find_row(result, "model").values["psnr"] == 100


def test_only_requested_scores_are_computed(tmp_path: Path) -> None:
    photos = write_photos(tmp_path)
    result = score_colorization(photos, perfect(), scorer=ImageScorer(["delta-e"]))
    assert [list(row.values) for row in result.rows] == [["delta-e"]] * 2
    result = score_colorization(photos, perfect(), scorer=ImageScorer([], StubFeatures()))
    assert [list(row.values) for row in result.rows] == [["frechet", "frechet-share"]] * 2


def test_a_colorization_network_is_more_colourful_than_gray(tmp_path: Path) -> None:
    result = score_colorization(write_photos(tmp_path), create_predictor(create_colorizer()))
    colorfulness = {row.name: row.values["colorfulness"] for row in result.rows}
    assert colorfulness["model"] > colorfulness["gray"]
