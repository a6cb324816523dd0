"""SSGAN: hidden bits in generated images, and what its steganalyser and its generator learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import plain_updates
from translate.methods.ssgan.config import SSGANConfig
from translate.methods.ssgan.trainer import SSGAN, embed_random_bits, quantize
from translate.methods.trainer import StepProgress


def new(**settings: Any) -> SSGAN:
    torch.manual_seed(0)
    small = {"image_size": 16, "ngf": 4, "ndf": 4, "channels": 3, "batch_size": 8, "d_steps": 1}
    return SSGAN(SSGANConfig(**{**small, **settings}))


def levels(x: Tensor) -> Tensor:
    return ((x + 1) * 127.5).round()


def test_images_are_rounded_to_8_bits_with_the_gradient_of_the_identity() -> None:
    x = torch.linspace(-1.1, 1.1, 1000).requires_grad_()
    rounded = quantize(x)
    torch.testing.assert_close(levels(rounded) / 127.5 - 1, rounded)
    assert rounded.min() == -1
    assert rounded.max() == 1
    (gradient,) = torch.autograd.grad(rounded.sum(), x)
    assert gradient.equal(torch.ones_like(x))


@pytest.mark.parametrize("payload", [0.1, 0.4, 1.0])
def test_random_bits_change_half_of_the_values_that_carry_them_by_one_level(payload: float) -> None:
    torch.manual_seed(0)
    cover = quantize(2 * torch.rand(4, 3, 64, 64) - 1).requires_grad_()
    stego = embed_random_bits(cover, payload)
    change = levels(stego) - levels(cover)
    assert change.abs().max() == 1
    assert change.abs().mean().item() == pytest.approx(payload / 2, rel=0.05)
    assert abs(change.mean().item()) < 0.01
    (gradient,) = torch.autograd.grad(stego.sum(), cover)
    assert gradient.equal(torch.ones_like(cover))


@pytest.mark.parametrize(("level", "sign"), [(-1.0, 1), (1.0, -1)])
def test_black_and_white_stay_in_range(level: float, sign: int) -> None:
    cover = torch.full((1, 1, 32, 32), level)
    change = levels(embed_random_bits(cover, 1.0)) - levels(cover)
    assert set(change.unique().tolist()) == {0.0, float(sign)}


def test_the_steganalyser_learns_to_find_messages() -> None:
    trainer = new(payload=1.0, lr=0, lr_d=2e-3)
    torch.manual_seed(1)
    images = {"image": 2 * torch.rand(8, 3, 16, 16) - 1}
    accuracy = [
        trainer.step(images, plain_updates(trainer), StepProgress())["s_accuracy"].item() for _ in range(150)
    ]
    assert sum(accuracy[-30:]) / 30 > 0.7
    assert sum(accuracy[:10]) / 10 < 0.7


def test_the_generator_gets_a_gradient_from_the_steganalyser_alone() -> None:
    trainer = new(alpha=0.0)
    images = {"image": 2 * torch.rand(8, 3, 16, 16) - 1}
    before = [weight.detach().clone() for weight in trainer.g.parameters()]
    trainer.step(images, plain_updates(trainer), StepProgress())
    assert any(not a.equal(b) for a, b in zip(before, trainer.g.parameters(), strict=True))
