"""3D-GAN: the balance of its discriminator, its noise, and its settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from translate.errors import UsageError
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.gan3d.trainer import GAN3D
from translate.networks import GAN3DDiscriminator, GAN3DGenerator
from translate.training.step.stepper import Stepper

SMALL: dict[str, Any] = {
    "image_size": 32,
    "ngf": 2,
    "ndf": 2,
    "batch_size": 5,
    "device": "cpu",
    "precision": "fp32",
}


def new_stepper(**settings: Any) -> Stepper:
    torch.manual_seed(0)
    c = GAN3DConfig(**{**SMALL, **settings})
    return Stepper(GAN3D(c), c)


def batch(count: int = 5) -> dict[str, Tensor]:
    return {"volume": torch.rand(count, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1)) < 0.1}


def changes(stepper: Stepper) -> tuple[bool, bool]:
    """Take a step; return whether the weights of the discriminator and of the generator have changed."""
    networks = [stepper.trainer.networks[name] for name in ("d", "g")]
    before = [[weight.clone() for weight in network.parameters()] for network in networks]
    stepper.step(batch())
    d, g = (
        any(not old.equal(new) for old, new in zip(weights, network.parameters(), strict=True))
        for weights, network in zip(before, networks, strict=True)
    )
    return d, g


@pytest.mark.parametrize(("accuracy", "is_updated"), [(0.0, True), (0.8, True), (0.9, False), (1.0, False)])
def test_the_discriminator_is_updated_unless_it_was_too_good_on_the_last_batch(
    accuracy: float, is_updated: bool
) -> None:
    stepper = new_stepper()
    stepper.trainer.accuracy.fill_(accuracy)
    assert changes(stepper) == (is_updated, True)


def test_the_accuracy_of_a_step_decides_about_the_next_one() -> None:
    stepper = new_stepper(max_d_accuracy=0.5, lr_d=0.01)
    previous, seen = 0.0, set()
    for step in range(12):
        losses_before = changes(stepper)
        assert losses_before == (previous <= 0.5, True), step
        previous = stepper.trainer.accuracy.item()
        assert previous * 10 == pytest.approx(round(previous * 10)), "a share of 5 + 5 volumes"
        seen.add(previous <= 0.5)
    assert seen == {True, False}


def test_the_accuracy_is_in_a_checkpoint() -> None:
    stepper, other = new_stepper(), new_stepper()
    stepper.trainer.accuracy.fill_(0.9)
    other.state.restore({**stepper.state.snapshot(), "others": []})
    assert changes(other) == (False, True)


def test_the_accuracy_counts_the_logits_on_the_right_side_of_0() -> None:
    c = GAN3DConfig(**SMALL)
    trainer = GAN3D(c)
    logits = iter([torch.tensor([1.0, 2, -1, 3, 0]), torch.tensor([-1.0, 2, -1, 1, 0]), torch.zeros(5)])

    class Scripted(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return next(logits).requires_grad_()

    trainer.d = Scripted()
    losses = trainer.step(batch(), lambda name, loss, when=None: None, None)  # type: ignore[arg-type]
    assert losses["d_accuracy"].item() == pytest.approx((4 + 3) / 10)


def test_the_noise_is_uniform_on_minus_1_to_1() -> None:
    z = GAN3D(GAN3DConfig(**SMALL)).noise(torch.zeros(50, 1))
    assert z.shape == (50, 200)
    assert -1 <= z.min() < -0.99
    assert 0.99 < z.max() <= 1
    assert z.mean().item() == pytest.approx(0, abs=0.03)


def test_the_networks_of_the_paper() -> None:
    with torch.device("meta"):
        g, d = GAN3DGenerator(), GAN3DDiscriminator()
        volumes = g(torch.zeros(2, 200))
        assert volumes.shape == (2, 1, 64, 64, 64)
        assert d(volumes).shape == (2,)
    channels = [[w.shape[axis] for w in n.parameters() if w.dim() == 5] for n, axis in ((g, 1), (d, 0))]
    assert channels == [[512, 256, 128, 64, 1], [64, 128, 256, 512, 1]]
    assert not [name for name, _ in g.named_parameters() if name.endswith("bias") and name[5] in "0369"]


def test_the_defaults_are_those_of_the_paper() -> None:
    c = GAN3DConfig()
    assert (c.image_size, c.batch_size, c.latent, c.max_d_accuracy) == (64, 100, 200, 0.8)
    assert c.learning_rate_and_betas("g") == (0.0025, (0.5, 0.999))
    assert c.learning_rate_and_betas("d") == (1e-5, (0.5, 0.999))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_size": 48}, "--image-size 32"),
        ({"image_size": 128}, "--image-size 64"),
        ({"batch_size": 1}, "--batch-size 2"),
        ({"range": "0,255"}, "0,255"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        GAN3DConfig(**settings)
