"""What is told of a generator while it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.pictures import noise
from translate.config import DCGANConfig, GeneratorSpec, ModelConfig
from translate.errors import DataError
from translate.models import Model, pick_device, pick_precision
from translate.recipes import RECIPES
from translate.tasks.noise import look
from translate.tasks.task import Data


class Makes(nn.Module):
    """Random pixels as the data's: the same always, or such as follow from the noise."""

    def __init__(self, *, alike: bool) -> None:
        super().__init__()
        self.alike = alike

    def forward(self, z: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0 if self.alike else int(1e6 * z.abs().sum()))
        return 2 * torch.rand(1, 3, 32, 32, generator=random) - 1


def data(folder: Path, count: int = 20) -> Data:
    for number in range(count):
        noise(folder / f"{number}.png", 32, 32, seed=number)
    return RECIPES["dcgan"].task().data(DCGANConfig(data=str(folder), image_size=32))


def seen(folder: Path, *, alike: bool, steps: int) -> tuple[float, list[str]]:
    spec = GeneratorSpec(name="dcgan", in_channels=192, out_channels=3)
    config = ModelConfig(generator=spec, directions=["sample"], noise=192, trained_on={"steps": steps})
    precision = pick_precision("fp32", pick_device("cpu"))
    found = look(Model(config, {"sample": Makes(alike=alike)}), data(folder).held_out, precision)
    assert found.sheet.shape == (8 * 36 + 4, 8 * 36 + 4, 3)
    return found.scores["diversity"], found.remarks


def test_samples_that_are_all_alike_are_told_in_words(tmp_path: Path) -> None:
    share, remarks = seen(tmp_path, alike=True, steps=1000)
    assert share == pytest.approx(0, abs=1e-3)
    assert "the samples are alike: 0% of the diversity of the data" in remarks[0]
    assert "wgan-gp" in remarks[0]


def test_samples_as_diverse_as_the_data_are_not(tmp_path: Path) -> None:
    share, remarks = seen(tmp_path, alike=False, steps=1000)
    assert share > 0.5
    assert remarks == []


def test_nothing_is_said_before_anything_is_learnt(tmp_path: Path) -> None:
    assert seen(tmp_path, alike=True, steps=10)[1] == []


def test_one_picture_is_too_few_and_the_data_settles_the_channels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds one picture"):
        data(tmp_path / "one", count=1)
    assert data(tmp_path / "three", count=3).settles == {"channels": 3}
