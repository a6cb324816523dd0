"""Scores of models that translate, whose answers are known: by pairs, and as sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.images import noise
from tests.unit.evaluation.making import Network, Stub, request, row
from tests.unit.inference.making import scene
from translate.config import ModelConfig
from translate.data.datasets.samples import PairedDataset, SampleKey
from translate.data.discovery.find import find_paired
from translate.evaluation.scoring import SuiteResult
from translate.evaluation.translation import HALVES, evaluate_pairs, evaluate_unpaired, fits_pairs
from translate.images import read_rgb, write_rgb
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.metrics import frechet_distance


def paired(data: Path, *predictors: Stub, **asked: Any) -> SuiteResult:
    return evaluate_pairs({one.direction: one for one in predictors}, request(data, **asked))


def unpaired(data: Path, *predictors: Stub, **asked: Any) -> SuiteResult:
    return evaluate_unpaired({one.direction: one for one in predictors}, request(data, **asked))


def joined(folder: Path, count: int = 2) -> Path:
    """A|B files, B being A in negative, the held-out ones in val."""
    for seed in range(count):
        a = scene(24, 20, seed)
        write_rgb(np.hstack([a, 255 - a]), folder / "val" / f"{seed}.png")
        write_rgb(np.hstack([a, a]), folder / "train" / f"{seed}.png")
    return folder


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_held_out_pairs_are_translated_and_compared(tmp_path: Path, direction: str) -> None:
    folder = joined(tmp_path)
    predictor = Stub(lambda image: 255 - image, direction)
    done = paired(folder, predictor, scores=["psnr", "ssim", "delta-e"])
    values = row(done, "model").values
    assert values == pytest.approx({"psnr": 100, "ssim": 1, "delta-e": 0, "frechet": 0}, abs=1e-9)
    assert row(done, "untranslated").values["psnr"] < 20
    half = 0 if direction == "AtoB" else 20
    expected = read_rgb(folder / "val" / "0.png")[:, half : half + 20]
    assert np.array_equal(predictor.given[0][0], expected)
    assert done.protocol["images"] == f"held-out pairs of {folder}, at their own size"


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (16, 20), (16, 60)])
def test_a_partner_of_another_size_is_brought_to_as_it_is_in_training(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    noise(tmp_path / "A" / "1.png", 32, 32)
    noise(tmp_path / "B" / "1.png", *size, seed=1)
    c = Pix2PixConfig(generator="resnet", preprocess="none", image_size=32)
    pairs = find_paired(str(tmp_path), None, None).train
    in_training = PairedDataset(pairs, c, training=False)[SampleKey(0, 0)]["b"].permute(1, 2, 0).numpy()
    done = paired(tmp_path, Stub(lambda image: in_training), scores=["psnr"])
    assert row(done, "model").values["psnr"] == 100
    assert done.protocol["images"].startswith("all pairs")


def test_a_gray_answer_is_compared_in_colour(tmp_path: Path) -> None:
    done = paired(joined(tmp_path), Stub(lambda image: image[..., :1]))
    assert row(done, "model").values["psnr"] < 30


def test_pairs_without_a_partner_are_told(tmp_path: Path) -> None:
    for name in ("A/1.png", "A/2.png", "B/1.png"):
        noise(tmp_path / name)
    done = paired(tmp_path, Stub(lambda image: image))
    assert done.notes == [f"no partner in {tmp_path / 'B'}, left out: {tmp_path / 'A' / '2.png'}"]


def test_a_model_of_two_directions_is_scored_in_both(tmp_path: Path) -> None:
    there, back = Stub(lambda image: 255 - image), Stub(lambda image: image, "BtoA")
    done = paired(joined(tmp_path), there, back, scores=["psnr"])
    assert [(one.group, one.name) for one in done.rows] == [
        (group, name) for group in ("A to B", "B to A") for name in ("untranslated", "model")
    ]
    assert row(done, "model", "A to B").values["psnr"] == 100
    assert row(done, "model", "B to A").values["psnr"] < 20


def test_files_that_are_cut_for_a_model_of_unknown_training_are_told(tmp_path: Path) -> None:
    folder = joined(tmp_path)
    assert paired(folder, Stub(lambda image: image, paired=None)).notes == [HALVES]
    assert paired(folder, Stub(lambda image: image, paired=True)).notes == []


def of_one_stem(folder: Path) -> Path:
    for name in ("trainA/1.png", "trainB/1.jpg"):
        noise(folder / name)
    return folder


def of_other_stems(folder: Path) -> Path:
    for name in ("trainA/1.png", "trainB/2.png"):
        noise(folder / name)
    return folder


@pytest.mark.parametrize(
    ("data", "pairs"), [(of_one_stem, True), (joined, True), (of_other_stems, False), (Path, False)]
)
def test_the_data_decides_where_the_model_does_not_know(tmp_path: Path, data: Any, pairs: bool) -> None:
    folder = str(data(tmp_path))
    assert fits_pairs(ModelConfig(paired=None), folder) == pairs
    assert fits_pairs(ModelConfig(paired=True), folder)
    assert not fits_pairs(ModelConfig(paired=False), folder)


def two_domains(folder: Path, count: int = 3) -> Path:
    for seed in range(count):
        for kind in "AB":
            image = scene(24, 20, seed)
            write_rgb(255 - image if kind == "B" else image, folder / f"test{kind}" / f"{seed}.png")
            noise(folder / f"train{kind}" / f"{seed}.png")
    return folder


def test_both_directions_beside_the_untranslated(tmp_path: Path) -> None:
    folder = two_domains(tmp_path)
    there, back = Stub(lambda image: 255 - image), Stub(lambda image: image // 2, "BtoA")
    done = unpaired(folder, there, back, scores=[])
    a, b = (
        Network()([read_rgb(path) for path in sorted((folder / f"test{kind}").iterdir())]) for kind in "AB"
    )
    assert [(one.group, one.name, one.images) for one in done.rows] == [
        ("A to B", "untranslated", 3),
        ("A to B", "model", 3),
        ("B to A", "untranslated", 3),
        ("B to A", "model", 3),
    ]
    assert row(done, "model", "A to B").values["frechet"] == pytest.approx(0, abs=1e-9)
    for group in ("A to B", "B to A"):
        assert row(done, "untranslated", group).values["frechet"] == pytest.approx(frechet_distance(a, b))
    halved = [read_rgb(path) // 2 for path in sorted((folder / "testB").iterdir())]
    expected = frechet_distance(Network()(halved), a)
    assert row(done, "model", "B to A").values["frechet"] == pytest.approx(expected)
    assert (len(there.given), len(back.given), done.images) == (3, 3, 6)


def test_a_model_of_one_direction_has_that_one_only(tmp_path: Path) -> None:
    done = unpaired(two_domains(tmp_path), Stub(lambda image: image, "BtoA"), scores=[])
    assert {one.group for one in done.rows} == {"B to A"}


def test_too_few_images_of_a_domain(tmp_path: Path) -> None:
    done = unpaired(two_domains(tmp_path, 1), Stub(lambda image: image), scores=[])
    assert [one.values["frechet"] for one in done.rows] == [None, None]
