"""The steps of the image-to-image methods: which networks a loss trains, and which terms it consists of."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.updates import Updates
from translate.errors import UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer

SMALL = {"ngf": 4, "ndf": 4, "image_size": 32, "norm": "instance", "d_layers": 2}
DISCRIMINATORS = {"cyclegan": "d_a", "dclgan": "d_a"}  # Of other methods it is called d.
OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "pix2pix": {},
    "cyclegan": {"blocks": 1},
    "cut": {"blocks": 1},
    "fastcut": {"blocks": 1},
    "dclgan": {"blocks": 1},
    "colorize": {"lambda_gan": 1.0, "generator": "unet"},
    "inpaint": {"lambda_gan": 1.0},
}
METHODS = list(OWN_SETTINGS)
CONDITIONAL = ["pix2pix", "colorize", "inpaint"]


def new(method: str, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    recipe = find_method(method)
    c = recipe.config_class()(**{**SMALL, **OWN_SETTINGS[method], **settings})
    return recipe.load_task().trainer(c)


def batch(count: int = 2) -> dict[str, Tensor]:
    """Return a batch with everything that the methods take."""
    random = torch.Generator().manual_seed(1)
    a, b = (torch.rand(count, 3, 32, 32, generator=random) * 2 - 1 for _ in range(2))
    mask = torch.full((count, 1, 32, 32), -1.0)
    mask[..., 8:24, 8:24] = 1
    return {"a": a, "b": b, "photo": a, "mask": mask}


def summed_losses(trainer: Trainer) -> dict[str, float]:
    """Take a step without updates; return the sum of the losses of each optimizer."""
    torch.manual_seed(2)
    losses = {"d": 0.0, "g": 0.0}

    def add(name: str, loss: Tensor, step: bool) -> None:
        losses[name] += loss.item()

    trainer.step(batch(), Updates(add), StepProgress())
    return losses


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("method", ["cyclegan", "cut", "fastcut", "dclgan"])
def test_the_domains_may_differ_in_image_size(method: str, norm: str) -> None:
    trainer = new(method, norm=norm, preprocess="none")
    images = {"a": torch.rand(1, 3, 32, 48) * 2 - 1, "b": torch.rand(1, 3, 40, 32) * 2 - 1}
    losses = trainer.step(images, Updates(lambda name, loss, step: loss.backward()), StepProgress())
    assert all(loss.isfinite() for loss in losses.values())
    assert all(weight.grad is not None for weight in trainer.parameters())


def test_a_gradient_penalty_needs_images_of_one_size() -> None:
    with pytest.raises(UsageError, match=r"wgan-gp.* scale_width.* --preprocess resize_and_crop"):
        CycleGANConfig(gan_loss="wgan-gp", preprocess="scale_width")


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_penalty_is_part_of_the_discriminator_loss(method: str) -> None:
    without, once, twice = (
        summed_losses(new(method, gan_loss="wgan-gp", lambda_gp=weight)) for weight in (0, 10, 20)
    )
    assert once["d"] - without["d"] > 0.1
    assert twice["d"] - without["d"] == pytest.approx(2 * (once["d"] - without["d"]), rel=1e-4)
    assert once["g"] == without["g"]


@pytest.mark.parametrize("method", METHODS)
def test_the_logged_discriminator_loss_is_without_the_gradient_penalty(method: str) -> None:
    def logged(weight: float) -> dict[str, Tensor]:
        trainer = new(method, gan_loss="wgan-gp", lambda_gp=weight)
        torch.manual_seed(2)
        return trainer.step(batch(), Updates(lambda name, loss, step: None), StepProgress())

    name = DISCRIMINATORS.get(method, "d")
    assert logged(0)[name].equal(logged(10)[name])


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_penalty_reaches_the_discriminators_weights(method: str) -> None:
    def gradient(weight: float) -> Tensor:
        trainer = new(method, gan_loss="wgan-gp", lambda_gp=weight)
        first = next(getattr(trainer, DISCRIMINATORS.get(method, "d")).parameters())

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
def test_a_loss_has_gradients_in_the_networks_of_its_optimizer_only(method: str, gan_loss: str) -> None:
    trainer = new(method, gan_loss=gan_loss)
    weights = {
        name: {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        for name, optimizer in trainer.optimizers.items()
    }
    assert set.union(*weights.values()) == {id(weight) for weight in trainer.parameters()}

    shares: dict[str, float] = {}

    def backward(name: str, loss: Tensor, step: bool) -> None:
        loss.backward()
        with_gradient = {id(w) for w in trainer.parameters() if w.grad is not None and w.grad.any()}
        assert with_gradient <= weights[name]
        if step:
            shares[name] = len(with_gradient) / len(weights[name])
            trainer.optimizers[name].step()
            trainer.zero_grad()

    # The inpainter's last layer starts with zeros, so its other layers get gradients from the second step on.
    for _ in range(2):
        losses = trainer.step(batch(), Updates(backward), StepProgress())
    # A bias before a norm has no gradient, and the inpainter has many of them.
    assert min(shares.values()) > (0.5 if method == "inpaint" else 0.8)
    assert all(torch.isfinite(loss) and loss.shape == () for loss in losses.values())


@pytest.mark.parametrize(
    ("method", "weights"),
    [
        ("pix2pix", ["lambda_l1"]),
        ("cyclegan", ["lambda_a", "lambda_b", "lambda_identity"]),
        ("cut", ["lambda_gan", "lambda_nce"]),
        ("dclgan", ["lambda_nce", "lambda_identity"]),
        ("colorize", ["lambda_l1"]),
        ("inpaint", ["lambda_hole"]),
    ],
)
def test_each_weight_counts_in_the_generator_loss(method: str, weights: list[str]) -> None:
    default = summed_losses(new(method))
    for weight in weights:
        changed = summed_losses(new(method, **{weight: 1e-6}))
        assert changed["g"] < default["g"] - 0.1, weight
        assert changed["d"] == pytest.approx(default["d"]), weight


@pytest.mark.parametrize("method", METHODS)
def test_no_network_stays_frozen_after_a_step(method: str) -> None:
    trainer = new(method)
    summed_losses(trainer)
    assert all(weight.requires_grad for weight in trainer.parameters())


@pytest.mark.parametrize(
    ("method", "names"),
    [("cyclegan", ["g", "d"]), ("cut", ["g", "d"]), ("dclgan", ["d"]), *((m, ["d"]) for m in CONDITIONAL)],
)
def test_the_halves_of_a_loss_are_in_memory_one_after_the_other(method: str, names: list[str]) -> None:
    trainer, saved = new(method), weakref.WeakSet[_SavedTensor]()
    counts: dict[str, list[int]] = {"g": [], "d": []}  # Tensors saved for backward at each loss.

    def backward(name: str, loss: Tensor, step: bool) -> None:
        counts[name].append(len(saved))
        loss.backward(retain_graph=name not in names)

    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: _SavedTensor(saved, x), lambda tensor: tensor.tensor
    ):
        trainer.step(batch(), Updates(backward), StepProgress())
    for name in names:
        first, second = counts[name]
        assert 0 < second <= 1.1 * first


class _SavedTensor:
    """A tensor that autograd saves for the backward pass."""

    def __init__(self, saved: weakref.WeakSet[_SavedTensor], tensor: Tensor) -> None:
        self.tensor = tensor
        saved.add(self)


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_the_first_generator_has_the_direction_of_the_settings(direction: str) -> None:
    for method in ("pix2pix", "cut"):
        assert list(new(method, direction=direction).generators) == [direction]
    for method in ("cyclegan", "dclgan"):
        generators = new(method, direction=direction).generators
        assert next(iter(generators)) == direction
        assert len(generators) == 2
