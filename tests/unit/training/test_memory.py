"""The memory estimate of a training step grows and shrinks with what determines the memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.images import demo
from tests.updates import Updates
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.task import TASK
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.registry import METHODS, Method
from translate.training.memory import estimate_memory
from translate.training.session import Session

TRAINERS = {"pix2pix": (Pix2Pix, Pix2PixConfig), "cyclegan": (CycleGAN, CycleGANConfig)}


@pytest.fixture(autouse=True)
def no_memory_estimate() -> None:
    """Keep the estimate, which the other unit tests leave out."""


def estimate(method: str, *, half: bool = False, **settings: Any) -> tuple[int, int]:
    """Return the estimate and the size of the weights, in bytes."""
    trainer_class, config_class = TRAINERS[method]
    own = {"pool_size": 0} if method == "cyclegan" else {}
    small = {"ngf": 4, "ndf": 4, "blocks": 1, "image_size": 64, "batch_size": 1}
    c = config_class(**{**small, **own, **settings})
    trainer = trainer_class(c)
    weights = sum(weight.nbytes for weight in trainer.parameters())
    image = torch.zeros(3, c.image_size, c.image_size, dtype=torch.uint8)
    return estimate_memory(trainer, c, {"a": image, "b": image}, half), weights


@pytest.mark.parametrize("method", TRAINERS)
def test_the_estimate_includes_weights_gradients_and_both_moments(method: str) -> None:
    total, weights = estimate(method)
    assert total > 4 * weights


@pytest.mark.parametrize("method", TRAINERS)
def test_activations_are_proportional_to_the_number_of_pixels(method: str) -> None:
    batch_1, _ = estimate(method)
    batch_4, _ = estimate(method, batch_size=4)
    larger, _ = estimate(method, image_size=128, **({"levels": 6} if method == "pix2pix" else {}))
    per_image = (batch_4 - batch_1) / 3
    assert per_image > 3 * 64 * 64 * 4, "an image's activations take more than the image in float32"
    assert larger - batch_1 == pytest.approx(3 * per_image, rel=0.1)


@pytest.mark.parametrize("method", TRAINERS)
def test_half_precision_halves_the_activations(method: str) -> None:
    full = [estimate(method, batch_size=n)[0] for n in (1, 5)]
    half = [estimate(method, batch_size=n, half=True)[0] for n in (1, 5)]
    assert half[1] - half[0] == pytest.approx((full[1] - full[0]) / 2, rel=0.01)


def test_gradient_accumulation_and_gradient_checkpointing_need_less_memory() -> None:
    batch_4, weights = estimate("cyclegan", batch_size=4)
    accumulated, _ = estimate("cyclegan", batch_size=4, accumulate=4)
    batch_1, _ = estimate("cyclegan", batch_size=1)
    assert accumulated == batch_1
    recomputed, _ = estimate("cyclegan", batch_size=4, recompute=True)
    assert 5 * weights < recomputed < batch_4


class WithoutBackward(CycleGAN):
    """A CycleGAN whose step keeps all activations."""

    def step(self, batch: dict[str, torch.Tensor], update: Any, progress: Any) -> dict[str, torch.Tensor]:
        return super().step(batch, Updates(lambda name, loss, step: None), progress)


def test_activations_that_backward_frees_do_not_count_beside_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed, _ = estimate("cyclegan", batch_size=16)
    monkeypatch.setitem(TRAINERS, "cyclegan", (WithoutBackward, CycleGANConfig))
    all_activations, _ = estimate("cyclegan", batch_size=16)
    assert freed < 0.7 * all_activations


def test_a_large_step_is_estimated_without_running_it() -> None:
    total, _ = estimate("cyclegan", ngf=64, ndf=64, blocks=9, image_size=1024, batch_size=16)
    assert total > 100 * 2**30
    assert torch.get_default_device().type == "cpu"


class WithConstant(Pix2Pix):
    """A trainer with a constant on the CPU, so that its step cannot run on the meta device."""

    def step(self, batch: dict[str, torch.Tensor], *rest: Any) -> dict[str, torch.Tensor]:
        return super().step({name: image + torch.zeros(1) for name, image in batch.items()}, *rest)


WITH_CONSTANT = dataclasses.replace(TASK, trainer=WithConstant)


def test_a_step_whose_memory_cannot_be_estimated_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = "translate.methods.pix2pix.config:Pix2PixConfig"
    monkeypatch.setitem(METHODS, "constant", Method("a test", config, f"{__name__}:WITH_CONSTANT"))
    folder = demo(tmp_path / "data")
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "blocks": 1, "d_layers": 2, "workers": 0}
    settings = {"data": str(folder), "out": str(tmp_path / "run"), "steps": 1, "device": "cpu", **small}
    session = Session("constant", settings)
    assert "memory: unknown" in session.describe()
    assert session.train()
