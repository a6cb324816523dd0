"""Scores of models that generate volumes, for samples that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.unit.evaluation.helpers import find_row
from translate.config import VolumeModelConfig
from translate.data.shapes import write_shapes
from translate.data.volumes import read_volumes
from translate.errors import DataError
from translate.evaluation.scoring import ImageScorer, Request, SuiteResult
from translate.evaluation.volumes import evaluate_volumes

SCORES = ("coverage", "nearest", "connected")


class StubSampler:
    """A sampler of given volumes, in turn."""

    def __init__(self, volumes: Sequence[NDArray[np.bool_]]) -> None:
        self.volumes = volumes
        self.config = VolumeModelConfig(kind="volume", volume_size=32)

    def draw(self, count: int, seed: int) -> Tensor:
        return torch.arange(count)[:, None]

    def __call__(self, noise: Tensor) -> list[NDArray[np.float32]]:
        return [self.volumes[int(row) % len(self.volumes)].astype(np.float32) for row in noise]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """40 shapes, 2 of which are held out."""
    write_shapes(tmp_path / "shapes", count=10)
    return tmp_path / "shapes"


def score(data: Path, scores: Sequence[str] = SCORES, **samples: Sequence[NDArray[np.bool_]]) -> SuiteResult:
    samplers = {name: StubSampler(volumes) for name, volumes in samples.items()}
    return evaluate_volumes(samplers, Request(data=str(data), scorer=ImageScorer(()), scores=scores))


def test_the_scores_tell_copies_one_shape_and_rubble_apart(data: Path) -> None:
    volumes = read_volumes(str(data), 32)
    held_out, train = [*volumes.validation.volumes()], [*volumes.train.volumes()]
    rubble = np.random.default_rng(0).random((32, 32, 32)) < 0.02
    result = score(data, perfect=held_out, copies=train, collapsed=train[:1], rubble=[rubble])
    assert [row.images for row in result.rows] == 6 * [2]
    perfect, copies, rows = find_row(result, "perfect").values, find_row(result, "copies").values, result.rows
    assert perfect["coverage"] == 1
    assert perfect["nearest"] == rows[0].values["nearest"] > 0.1
    assert perfect["nearest-share"] == 1
    assert (copies["nearest"], copies["nearest-share"]) == (0, 0)
    assert rows[1].name == "training"
    assert rows[1].values["nearest"] == 0
    assert find_row(result, "collapsed").values["coverage"] == 0.5
    assert find_row(result, "rubble").values["connected"] == 0
    assert find_row(result, "rubble").values["nearest"] > 0.8
    assert {row.values["connected"] for row in rows[:4]} == {1.0}
    assert rows[0].name == "held-out"
    assert rows[0].values["coverage"] is None


def test_only_requested_scores_are_computed_and_unreadable_files_are_listed(data: Path) -> None:
    (data / "bad.npy").touch()
    result = score(data, ("connected",), empty=[np.zeros((32, 32, 32), bool)])
    assert find_row(result, "empty").values == {"connected": 0}
    assert ["bad.npy" in line for line in result.skipped] == [True]


def test_without_held_out_volumes_there_is_no_score(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((32, 32, 32), bool))
    with pytest.raises(DataError, match="val/"):
        score(tmp_path, model=[np.ones((32, 32, 32), bool)])
