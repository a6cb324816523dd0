"""One step of each trainer: which networks it moves, and that every loss takes part."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import Updates
from translate.errors import UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.trainer import StepProgress, Trainer

SMALL = {"ngf": 4, "ndf": 4, "image_size": 32, "norm": "instance", "blocks": 1}
METHODS = {"pix2pix": (Pix2Pix, Pix2PixConfig), "cyclegan": (CycleGAN, CycleGANConfig)}
DISCRIMINATORS = {"pix2pix": ["d"], "cyclegan": ["d_a", "d_b"]}


def new(method: str, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    trainer, config = METHODS[method]
    return trainer(config(**{**SMALL, **settings}))


def batch(count: int = 2) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {name: torch.rand(count, 3, 32, 32, generator=random) * 2 - 1 for name in ("a", "b")}


def handed_to_update(trainer: Trainer) -> dict[str, float]:
    """The losses that a step hands to the optimizers, which do not act."""
    torch.manual_seed(2)
    losses = {"d": 0.0, "g": 0.0}

    def add(name: str, loss: Tensor, step: bool) -> None:
        losses[name] += loss.item()

    trainer.step(batch(), Updates(add), StepProgress())
    return losses


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_two_kinds_of_cyclegan_may_differ_in_size(norm: str) -> None:
    trainer = new("cyclegan", norm=norm, preprocess="none")
    images = {"a": torch.rand(1, 3, 32, 48) * 2 - 1, "b": torch.rand(1, 3, 40, 32) * 2 - 1}
    losses = trainer.step(images, Updates(lambda name, loss, step: loss.backward()), StepProgress())
    assert all(loss.isfinite() for loss in losses.values())
    assert all(weight.grad is not None for weight in trainer.parameters())


def test_a_gradient_penalty_wants_images_of_one_size() -> None:
    with pytest.raises(UsageError, match=r"wgan-gp .* scale_width .*: use --preprocess resize_and_crop"):
        CycleGANConfig(gan_loss="wgan-gp", preprocess="scale_width")


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_penalty_takes_part_in_the_discriminators_loss(method: str) -> None:
    without, once, twice = (
        handed_to_update(new(method, gan_loss="wgan-gp", lambda_gp=weight)) for weight in (0, 10, 20)
    )
    assert once["d"] - without["d"] > 0.1
    assert twice["d"] - without["d"] == pytest.approx(2 * (once["d"] - without["d"]), rel=1e-4)
    assert once["g"] == without["g"]


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_penalty_reaches_the_discriminators_weights(method: str) -> None:
    def gradient(weight: float) -> Tensor:
        trainer = new(method, gan_loss="wgan-gp", lambda_gp=weight)
        first = next(getattr(trainer, DISCRIMINATORS[method][0]).parameters())

        def backward(name: str, loss: Tensor, step: bool) -> None:
            if name == "d":
                loss.backward()

        torch.manual_seed(2)
        trainer.step(batch(), Updates(backward), StepProgress())
        assert first.grad is not None
        return first.grad

    assert not torch.allclose(gradient(0), gradient(10), rtol=1e-2)


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "hinge", "wgan-gp"])
@pytest.mark.parametrize("method", METHODS)
def test_each_update_moves_its_own_networks_and_gathers_no_other_gradient(method: str, gan_loss: str) -> None:
    trainer = new(method, gan_loss=gan_loss)
    of = {
        name: {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        for name, optimizer in trainer.optimizers.items()
    }
    assert set.union(*of.values()) == {id(weight) for weight in trainer.parameters()}

    def backward(name: str, loss: Tensor, step: bool) -> None:
        loss.backward()
        reached = {id(w) for w in trainer.parameters() if w.grad is not None and w.grad.any()}
        assert reached <= of[name]
        if step:
            assert len(reached) > 0.8 * len(of[name])  # a bias before a norm has no slope
            trainer.optimizers[name].step()
            trainer.zero_grad()

    losses = trainer.step(batch(), Updates(backward), StepProgress())
    assert all(torch.isfinite(loss) and loss.shape == () for loss in losses.values())


@pytest.mark.parametrize(
    ("method", "weights"),
    [("pix2pix", ["lambda_l1"]), ("cyclegan", ["lambda_a", "lambda_b", "lambda_identity"])],
)
def test_each_weight_counts_in_the_generators_loss(method: str, weights: list[str]) -> None:
    plain = handed_to_update(new(method))
    for weight in weights:
        changed = handed_to_update(new(method, **{weight: 0}))
        assert changed["g"] < plain["g"] - 0.1, weight
        assert changed["d"] == pytest.approx(plain["d"]), weight


@pytest.mark.parametrize("method", METHODS)
def test_discriminators_learn_again_after_a_step(method: str) -> None:
    trainer = new(method)
    handed_to_update(trainer)
    assert all(weight.requires_grad for weight in trainer.parameters())


def test_cyclegan_holds_what_one_way_needs_at_a_time() -> None:
    trainer, held = new("cyclegan"), weakref.WeakSet[_Held]()
    most: dict[str, list[int]] = {"g": [], "d": []}

    def backward(name: str, loss: Tensor, step: bool) -> None:
        most[name].append(len(held))
        loss.backward()

    with torch.autograd.graph.saved_tensors_hooks(lambda x: _Held(held, x), lambda saved: saved.tensor):
        trainer.step(batch(), Updates(backward), StepProgress())
    for first, second in most.values():
        assert 0 < second <= first


class _Held:
    """A tensor in autograd's keeping."""

    def __init__(self, held: weakref.WeakSet[_Held], tensor: Tensor) -> None:
        self.tensor = tensor
        held.add(self)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_the_first_generator_goes_in_the_direction_asked_for(direction: str) -> None:
    assert list(new("pix2pix", direction=direction).generators) == [direction]
    assert next(iter(new("cyclegan", direction=direction).generators)) == direction
