"""Tests of the score without truth: true translations win, copies of the input lose, features are fair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.images import demo
from translate.config import ModelConfig, Route, TranslationConfig
from translate.images import Pixels, find_images, read_rgb
from translate.methods.data import unpaired_data
from translate.methods.references import compute_references, prepare_references, reference
from translate.methods.task import TaskData
from translate.methods.unpaired import (
    Translations,
    UnpairedValidation,
    score_translations,
    translate_validation,
)
from translate.methods.validation import Validation
from translate.models import Model, Precision
from translate.models.feature_networks import load_efficientnet_features
from translate.networks import Identity
from translate.progress import Advanced, Event, listening

CPU = Precision(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("unpaired") / "data", train=40, test=10, size=64)


@pytest.fixture(scope="module")
def data(folder: Path) -> TaskData:
    return unpaired_data(TranslationConfig(data=str(folder), image_size=64, cache_size=0))


def copying_model(**trained_on: str) -> Model:
    routes = {f"{a}to{b}": Route(source=a, target=b, generator="G") for a, b in ("AB", "BA")}
    return Model(ModelConfig(routes=routes, trained_on=trained_on), {"G": Identity(in_channels=3)})


def images(folder: Path) -> list[Pixels]:
    return [read_rgb(path) for path in find_images(folder)]


def score(data: TaskData, inputs: list[Pixels], outputs: list[Pixels]) -> tuple[dict[str, float], list[str]]:
    return score_translations([Translations("AtoB", "B", inputs, outputs)], copying_model(), data, CPU)


def test_true_translations_have_the_best_score_and_copies_the_worst(folder: Path, data: TaskData) -> None:
    horses, zebras = images(folder / "testA"), images(folder / "testB")
    half = [np.uint8(0.5 * horse + 0.5 * zebra) for horse, zebra in zip(horses, zebras, strict=True)]
    dark = [np.uint8(0.8 * zebra) for zebra in zebras]
    nearly = [np.uint8(0.9 * horse + 0.1 * zebra) for horse, zebra in zip(horses, zebras, strict=True)]
    ranking = [
        score(data, horses, outputs)[0]["val_kernel"] for outputs in (zebras, half, dark, nearly, horses)
    ]
    assert ranking == sorted(ranking)
    assert abs(ranking[0]) < 0.2 * ranking[1]
    assert ranking[-1] > 100 * ranking[1]


def test_the_log_says_when_a_model_copies_its_input(folder: Path, data: TaskData) -> None:
    # The sheet has a network that only validation needs.
    sheet = Validation(lambda networks, batch: {"input": batch["a"], "seen": networks["extra"](batch["a"])})
    result = UnpairedValidation(sheet)(copying_model(), data, CPU, extra=Identity(in_channels=3))
    scores, notes = result.scores, result.notes
    assert sorted(scores) == ["val_kernel", "val_kernel_AtoB", "val_kernel_BtoA"]
    assert scores["val_kernel"] == pytest.approx((scores["val_kernel_AtoB"] + scores["val_kernel_BtoA"]) / 2)
    assert sum("copies its input" in note for note in notes) == 2
    _, notes = score(data, images(folder / "testA"), images(folder / "testB"))
    assert not any("copies" in note for note in notes)


def test_images_of_one_kind_may_be_copied(folder: Path, data: TaskData) -> None:
    zebras = images(folder / "testB")
    scores, notes = score(data, zebras, zebras)
    assert scores["val_kernel"] < 0.05
    assert not any("copies" in note for note in notes)


@pytest.mark.parametrize("backbone", ["EfficientNet-Lite0", "timm/tf_efficientnet_lite0.in1k"])
def test_the_backbone_of_the_discriminator_does_not_score_the_model(
    backbone: str, data: TaskData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = copying_model(discriminator_backbone=backbone)
    scores, notes = score_translations(translate_validation(model, data, CPU), model, data, CPU)
    assert not scores
    assert len(notes) == 1
    assert "mobilenet_v2" in notes[0]
    model = copying_model(discriminator_backbone="MobileNetV2")
    assert score_translations(translate_validation(model, data, CPU), model, data, CPU)[0]


def compute(folder: Path, *targets: str, **settings: int) -> tuple[npt.NDArray[np.float64], float]:
    """Compute the features of training images as a new process does; return them, and how many were new."""
    settings = {"image_size": 64, "cache_size": 0, **settings}
    data = unpaired_data(TranslationConfig(data=str(folder), **settings))  # type: ignore[arg-type]
    network = load_efficientnet_features(CPU.device)
    events: list[Event] = []
    with listening(events.append):
        list(compute_references(targets, data, network))
    done = max([event.done for event in events if isinstance(event, Advanced)], default=0)
    return reference(targets[0], data, network).features, done


def test_features_are_read_from_the_cache_folder_unless_they_are_missing_or_damaged(
    own_cache: Path, tmp_path: Path
) -> None:
    folder = demo(tmp_path / "data", train=6, test=2, size=64)
    features, done = compute(folder, "B")
    assert done == 6
    assert (features == (read := compute(folder, "B"))[0]).all()
    assert not read[1]
    (file,) = (own_cache / "features").glob("*.features")
    for content in (file.read_bytes()[:-4], b"", b"x" + file.read_bytes()[1:]):
        file.write_bytes(content)
        assert (features == (read := compute(folder, "B"))[0]).all()
        assert read[1] == 6
    assert compute(folder, "B", image_size=32, load_size=32)[1] == 6
    (folder / "trainB" / "0001.png").write_bytes((folder / "trainA" / "0000.png").read_bytes())
    other, done = compute(folder, "B")
    assert done == 6
    assert (other != features).any()


def test_features_that_cannot_be_stored_are_computed_with_one_line(own_cache: Path, tmp_path: Path) -> None:
    folder = demo(tmp_path / "data", train=6, test=2, size=64)
    data = unpaired_data(TranslationConfig(data=str(folder), image_size=64, cache_size=0))
    (own_cache / "features").write_text("a file in the place of the folder")
    (line,) = filter(None, prepare_references(copying_model(), data, CPU))
    assert "TRANSLATE_CACHE" in line


def test_what_an_interrupted_preparation_has_computed_stays(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.methods.references.PART", 16)
    monkeypatch.setattr("translate.methods.references.LONG_SECONDS", 0.0)
    folder = demo(tmp_path / "data", train=40, test=2, size=32)
    data = unpaired_data(TranslationConfig(data=str(folder), image_size=32, cache_size=0))
    parts = prepare_references(copying_model(), data, CPU)
    line = next(filter(None, parts))
    assert "40 of B and 40 of A" in line
    next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert len(list((own_cache / "features").iterdir())) == 2
    assert compute(folder, "B", image_size=32)[1] == 8
