"""Scores of translation on pairs and on unpaired images, for predictors whose results are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from tests.unit.evaluation.helpers import StubFeatures, StubPredictor, create_request, find_row
from tests.unit.inference.making import scene
from translate.config import ModelConfig
from translate.data.datasets.samples import PairedDataset, SampleKey
from translate.data.discovery.find import find_paired
from translate.evaluation.scoring import SuiteResult
from translate.evaluation.translation import SPLIT_NOTE, evaluate_pairs, evaluate_unpaired, is_paired
from translate.images import read_rgb, write_rgb
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.metrics import frechet_distance, kernel_distance


def score_pairs(data: Path, *predictors: StubPredictor, **fields: Any) -> SuiteResult:
    by_direction = {predictor.direction: predictor for predictor in predictors}
    return evaluate_pairs(by_direction, create_request(data, **fields))


def score_unpaired(data: Path, *predictors: StubPredictor) -> SuiteResult:
    by_direction = {predictor.direction: predictor for predictor in predictors}
    request = replace(create_request(data, scores=[]), scores=["frechet", "kernel"])
    return evaluate_unpaired(by_direction, request)


def invert(image: np.ndarray) -> np.ndarray:
    return 255 - image


def keep(image: np.ndarray) -> np.ndarray:
    return image


def write_joined_pairs(folder: Path, count: int = 2) -> Path:
    """Write A|B files to train/ and val/; in val/, B is the negative of A."""
    for seed in range(count):
        a = scene(24, 20, seed)
        write_rgb(np.hstack([a, 255 - a]), folder / "val" / f"{seed}.png")
        write_rgb(np.hstack([a, a]), folder / "train" / f"{seed}.png")
    return folder


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_validation_pairs_are_translated_and_compared_with_the_truth(tmp_path: Path, direction: str) -> None:
    folder = write_joined_pairs(tmp_path)
    predictor = StubPredictor(invert, direction)
    result = score_pairs(folder, predictor, scores=["psnr", "ssim", "delta-e"])
    values = find_row(result, "model").values
    assert values == pytest.approx({"psnr": 100, "ssim": 1, "delta-e": 0, "frechet": 0}, abs=1e-9)
    assert find_row(result, "untranslated").values["psnr"] < 20
    left = 0 if direction == "AtoB" else 20
    source = read_rgb(folder / "val" / "0.png")[:, left : left + 20]
    assert np.array_equal(predictor.inputs[0][0], source)
    assert result.protocol["images"] == f"validation pairs of {folder}, at their own size"


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (16, 20), (16, 60)])
def test_b_is_resized_to_the_size_of_a_as_in_training(tmp_path: Path, size: tuple[int, int]) -> None:
    noise(tmp_path / "A" / "1.png", 32, 32)
    noise(tmp_path / "B" / "1.png", *size, seed=1)
    c = Pix2PixConfig(generator="resnet", preprocess="none", image_size=32)
    pairs = find_paired(str(tmp_path), None, None).train
    b_in_training = PairedDataset(pairs, c, training=False)[SampleKey(0, 0)]["b"].permute(1, 2, 0).numpy()
    result = score_pairs(tmp_path, StubPredictor(lambda image: b_in_training), scores=["psnr"])
    assert find_row(result, "model").values["psnr"] == 100
    assert result.protocol["images"].startswith("all pairs of")


def test_a_gray_output_is_compared_with_the_truth_in_colour(tmp_path: Path) -> None:
    result = score_pairs(write_joined_pairs(tmp_path), StubPredictor(lambda image: image[..., :1]))
    assert find_row(result, "model").values["psnr"] < 30


def test_an_image_without_a_partner_is_noted(tmp_path: Path) -> None:
    for name in ("A/1.png", "A/2.png", "B/1.png"):
        noise(tmp_path / name)
    (note,) = score_pairs(tmp_path, StubPredictor(keep)).notes
    assert str(tmp_path / "A" / "2.png") in note


def test_a_model_of_two_directions_is_scored_in_both(tmp_path: Path) -> None:
    a_to_b, b_to_a = StubPredictor(invert), StubPredictor(keep, "BtoA")
    result = score_pairs(write_joined_pairs(tmp_path), a_to_b, b_to_a, scores=["psnr"])
    assert [(row.group, row.name) for row in result.rows] == [
        (group, name) for group in ("A to B", "B to A") for name in ("untranslated", "model")
    ]
    assert find_row(result, "model", "A to B").values["psnr"] == 100
    assert find_row(result, "model", "B to A").values["psnr"] < 20


def test_splitting_files_for_a_model_of_unknown_training_is_noted(tmp_path: Path) -> None:
    folder = write_joined_pairs(tmp_path)
    assert score_pairs(folder, StubPredictor(keep, paired=None)).notes == [SPLIT_NOTE]
    assert score_pairs(folder, StubPredictor(keep, paired=True)).notes == []


def write_equal_stems(folder: Path) -> Path:
    for name in ("trainA/1.png", "trainB/1.jpg"):
        noise(folder / name)
    return folder


def write_different_stems(folder: Path) -> Path:
    for name in ("trainA/1.png", "trainB/2.png"):
        noise(folder / name)
    return folder


@pytest.mark.parametrize(
    ("write", "paired"),
    [(write_equal_stems, True), (write_joined_pairs, True), (write_different_stems, False), (Path, False)],
)
def test_the_data_decides_if_the_model_does_not_record_pairs(
    tmp_path: Path, write: Any, paired: bool
) -> None:
    data = str(write(tmp_path))
    assert is_paired(ModelConfig(paired=None), data) == paired
    assert is_paired(ModelConfig(paired=True), data)
    assert not is_paired(ModelConfig(paired=False), data)


def write_unpaired(folder: Path, count: int = 3) -> Path:
    """Write images of two domains; in test/, those of B are negatives of those of A."""
    for seed in range(count):
        for domain in "AB":
            image = scene(24, 20, seed)
            write_rgb(255 - image if domain == "B" else image, folder / f"test{domain}" / f"{seed}.png")
            noise(folder / f"train{domain}" / f"{seed}.png")
    return folder


def test_both_directions_are_scored_beside_the_untranslated_images(tmp_path: Path) -> None:
    folder = write_unpaired(tmp_path)
    a, b = ([read_rgb(path) for path in sorted((folder / f"test{domain}").iterdir())] for domain in "AB")
    a_to_b, b_to_a = StubPredictor(invert), StubPredictor(lambda image: image // 2, "BtoA")
    result = score_unpaired(folder, a_to_b, b_to_a)
    assert [(row.group, row.name, row.images) for row in result.rows] == [
        ("A to B", "untranslated", 3),
        ("A to B", "model", 3),
        ("B to A", "untranslated", 3),
        ("B to A", "model", 3),
    ]
    features = StubFeatures()
    assert find_row(result, "model", "A to B").values["frechet"] == pytest.approx(0, abs=1e-9)
    for group in ("A to B", "B to A"):
        distances = find_row(result, "untranslated", group).values
        expected = {
            "frechet": frechet_distance(features(a), features(b)),
            "kernel": kernel_distance(features(a), features(b)),
        }
        assert distances == pytest.approx(expected)
    distance = frechet_distance(features([image // 2 for image in b]), features(a))
    assert find_row(result, "model", "B to A").values["frechet"] == pytest.approx(distance)
    assert result.images == 6
    assert result.protocol["images"] == f"validation images of {folder}, at their own size"


def test_the_protocol_says_if_there_is_no_validation_set(tmp_path: Path) -> None:
    for domain in "AB":
        noise(tmp_path / f"train{domain}" / "1.png")
    result = score_unpaired(tmp_path, StubPredictor(keep))
    assert result.protocol["images"] == f"all images of {tmp_path}, at their own size"


def test_a_model_of_one_direction_is_scored_in_that_direction(tmp_path: Path) -> None:
    result = score_unpaired(write_unpaired(tmp_path), StubPredictor(keep, "BtoA"))
    assert {row.group for row in result.rows} == {"B to A"}


def test_distances_of_one_image_are_undefined(tmp_path: Path) -> None:
    result = score_unpaired(write_unpaired(tmp_path, 1), StubPredictor(keep))
    assert [row.values for row in result.rows] == [{"frechet": None, "kernel": None}] * 2
