"""Validation of a GAN scores the diversity of its samples, and warns of mode collapse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.images import noise
from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import DataError
from translate.methods.gan.config import DCGANConfig
from translate.methods.registry import find_method
from translate.methods.task import TaskData
from translate.models import Model, pick_device, pick_precision
from translate.networks import Generator

TASK = find_method("dcgan").load_task()


class RandomPixels(Generator):
    """A generator of random pixels; `collapsed`, it generates the same ones for any noise."""

    def __init__(self, *, collapsed: bool) -> None:
        super().__init__()
        self.collapsed = collapsed

    def forward(self, z: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0 if self.collapsed else int(1e6 * z.abs().sum()))
        return 2 * torch.rand(1, 3, 32, 32, generator=random) - 1


def dataset(folder: Path, count: int = 20) -> TaskData:
    """Write a dataset of images of random pixels."""
    for number in range(count):
        noise(folder / f"{number}.png", 32, 32, seed=number)
    return TASK.data(DCGANConfig(data=str(folder), image_size=32))


def diversity(folder: Path, *, collapsed: bool) -> float:
    """Validate a generator; return its diversity score."""
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
    model = Model(config, {"sample": RandomPixels(collapsed=collapsed)})
    result = TASK.validate(model, dataset(folder), precision)
    assert result.sheet.shape == (8 * 36 + 4, 8 * 36 + 4, 3)
    return result.scores["diversity"]


def warnings(*shares: float, steps: int = 1000) -> list[str]:
    """Return the warnings after the last of several validations with these diversities."""
    return TASK.warnings(
        [{"step": steps * number, "diversity": share} for number, share in enumerate(shares, 1)]
    )


def test_diversity_is_relative_to_the_datasets(tmp_path: Path) -> None:
    assert diversity(tmp_path, collapsed=True) == pytest.approx(0, abs=1e-3)
    assert 0.5 < diversity(tmp_path, collapsed=False) < 2


def test_low_or_falling_diversity_is_a_warning_of_mode_collapse() -> None:
    (low,) = warnings(0.1)
    assert "mode collapse" in low
    assert "10%" in low
    assert "wgan-gp" in low
    (falling,) = warnings(0.8, 0.95, 0.7)
    assert "mode collapse" in falling
    assert "70%" in falling
    assert "95%" in falling


def test_there_is_no_warning_at_good_diversity_or_in_the_first_steps() -> None:
    assert warnings(0.6) == warnings(0.9, 0.8) == warnings(1.4, 0.8) == []
    assert warnings(0.1, steps=10) == warnings(1.0, 0.1, steps=200) == []


def test_one_image_is_too_few_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        dataset(tmp_path, count=1)


def test_images_that_are_much_smaller_than_the_size_are_named(tmp_path: Path) -> None:
    for number in range(3):
        noise(tmp_path / f"{number}.png", height=20, width=24)
    (note,) = TASK.data(DCGANConfig(data=str(tmp_path), image_size=32)).notes
    assert note.startswith(
        "3 of 3 images that were looked at are much smaller than image_size 32, such as 24 x 20"
    )
    assert not TASK.data(DCGANConfig(data=str(tmp_path), image_size=16)).notes


def test_the_number_of_channels_follows_from_the_dataset(tmp_path: Path) -> None:
    assert dataset(tmp_path, count=3).settings["channels"] == 3
