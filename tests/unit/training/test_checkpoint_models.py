"""Models of a run's checkpoints: earlier ones, and the newest without EMA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import translate
from tests.images import noise
from translate.errors import UsageError
from translate.models import Model
from translate.training.runs.checkpoint_models import load_checkpoint_models, load_without_ema

SMALL = {"image_size": 16, "ngf": 4, "ndf": 4, "batch_size": 2, "device": "cpu"}
CHECKPOINTS = {"checkpoint_every": 1, "keep_checkpoints": 2}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Train a dcgan for three steps, with a checkpoint after each."""
    for number in range(4):
        noise(tmp_path / "data" / f"{number}.png", 16, 16, seed=number)
    folders = {"data": str(tmp_path / "data"), "out": str(tmp_path / "run")}
    translate.train("dcgan", steps=3, **folders, **SMALL, **CHECKPOINTS)
    return tmp_path / "run"


def equal(a: Model, b: Model) -> bool:
    weights, others = a.generators.state_dict(), b.generators.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in weights.items())


def test_each_checkpoint_has_a_model_with_ema(run: Path) -> None:
    models = load_checkpoint_models(run)
    assert list(models) == [2, 3]
    assert equal(models[3], Model.from_pretrained(run))
    assert not equal(models[2], models[3])


def test_the_newest_model_can_be_loaded_without_ema(run: Path) -> None:
    assert not equal(load_without_ema(run), Model.from_pretrained(run))


def test_a_model_folder_has_no_checkpoints(run: Path) -> None:
    assert load_checkpoint_models(run / "model") == {}
    with pytest.raises(UsageError, match="--no-ema"):
        load_without_ema(run / "model")
