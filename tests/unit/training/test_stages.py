"""Models of a run's checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import translate
from tests.images import noise
from translate.errors import UsageError
from translate.models import Model
from translate.training.runs.checkpoint_models import load_checkpoint_models, load_without_ema

FEW = {"image_size": 16, "ngf": 4, "ndf": 4, "batch_size": 2, "checkpoint_every": 1, "keep_checkpoints": 2}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for number in range(4):
        noise(tmp_path / "data" / f"{number}.png", 16, 16, seed=number)
    translate.train("dcgan", data=str(tmp_path / "data"), out=str(tmp_path / "run"), steps=3, **FEW)
    return tmp_path / "run"


def equal(a: Model, b: Model) -> bool:
    mine, others = a.generators.state_dict(), b.generators.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in mine.items())


def test_a_run_has_the_averaged_model_of_each_checkpoint_that_it_keeps(run: Path) -> None:
    found = load_checkpoint_models(run)
    assert list(found) == [2, 3]
    assert equal(found[3], Model.from_pretrained(run))
    assert not equal(found[2], found[3])


def test_the_newest_is_there_as_it_was_trained_too(run: Path) -> None:
    assert not equal(load_without_ema(run), Model.from_pretrained(run))


def test_a_models_folder_has_no_stages(run: Path) -> None:
    assert load_checkpoint_models(run / "model") == {}
    with pytest.raises(UsageError, match="is no run with a checkpoint"):
        load_without_ema(run / "model")
