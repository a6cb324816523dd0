"""What validation says of a generator while it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.images import noise
from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import DataError
from translate.methods.gan.config import DCGANConfig
from translate.methods.gan.task import remarks, validate
from translate.methods.registry import find_method
from translate.methods.task import TaskData
from translate.models import Model, pick_device, pick_precision
from translate.networks import Generator


class Makes(Generator):
    """Random pixels as the data's: the same always, or such as follow from the noise."""

    def __init__(self, *, alike: bool) -> None:
        super().__init__()
        self.alike = alike

    def forward(self, z: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0 if self.alike else int(1e6 * z.abs().sum()))
        return 2 * torch.rand(1, 3, 32, 32, generator=random) - 1


def data(folder: Path, count: int = 20) -> TaskData:
    for number in range(count):
        noise(folder / f"{number}.png", 32, 32, seed=number)
    return find_method("dcgan").load_task().data(DCGANConfig(data=str(folder), image_size=32))


def diversity(folder: Path, *, alike: bool) -> float:
    config = GenerationModelConfig(
        kind="generation",
        generator=GeneratorSpec(name="dcgan", args={"in_channels": 192}),
        domains=["image"],
        routes={"sample": Route(source=None, target="image", generator="sample")},
        in_channels=192,
        latent=192,
        trained_on={"steps": 0},
    )
    precision = pick_precision("fp32", pick_device("cpu"))
    result = validate(Model(config, {"sample": Makes(alike=alike)}), data(folder).validation, precision)
    assert result.sheet.shape == (8 * 36 + 4, 8 * 36 + 4, 3)
    return result.scores["diversity"]


def told(*shares: float, steps: int = 1000) -> list[str]:
    """What is said of the last validation, of those with such shares of the data's diversity."""
    return remarks([{"step": steps * number, "diversity": share} for number, share in enumerate(shares, 1)])


def test_diversity_is_a_share_of_the_datas(tmp_path: Path) -> None:
    assert diversity(tmp_path, alike=True) == pytest.approx(0, abs=1e-3)
    assert 0.5 < diversity(tmp_path, alike=False) < 2


def test_samples_that_are_alike_or_grow_alike_are_told_in_words() -> None:
    (alike,) = told(0.1)
    assert "the samples are alike: 10% of the diversity of the data;" in alike
    assert "wgan-gp" in alike
    (fallen,) = told(0.8, 0.95, 0.7)
    assert "the samples grow alike: 70% of the diversity of the data, after 95%;" in fallen


def test_nothing_is_said_where_all_is_well_or_nothing_is_learnt_yet() -> None:
    assert told(0.6) == told(0.9, 0.8) == told(1.4, 0.8) == []
    assert told(0.1, steps=10) == told(1.0, 0.1, steps=200) == []


def test_one_image_is_too_few_and_the_data_settles_the_channels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds one image"):
        data(tmp_path / "one", count=1)
    assert data(tmp_path / "three", count=3).settings == {"channels": 3}
