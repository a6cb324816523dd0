"""The adversary: what the discriminator sees, and the losses between it and a generator."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.updates import Updates
from translate.config import AdversarialConfig
from translate.methods.adversary import Adversary
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.trainer import StepProgress
from translate.networks import PatchGAN
from translate.networks.spectral_norm import add_spectral_norm


def images(seed: int, channels: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(3, channels, 4, 4, generator=random, dtype=torch.float64)


class Linear(nn.Module):
    """A linear critic, whose gradient is its weights everywhere."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum(dim=(1, 2, 3)).view(-1, 1, 1, 1)


def test_the_condition_comes_first_and_the_penalty_does_not_differentiate_it() -> None:
    weights = torch.cat([100 * images(4)[:1], images(5)[:1]], dim=1)
    adversary = Adversary(AdversarialConfig(gan_loss="wgan-gp"), Linear(weights), nn.Identity())
    penalty = adversary.penalty(StepProgress(), real=images(1), fake=images(2), condition=images(3))
    assert isinstance(penalty, Tensor)
    torch.testing.assert_close(penalty.detach(), 10 * (weights[:, 3:].norm() - 1) ** 2)


def new_adversary(**settings: Any) -> Adversary:
    torch.manual_seed(0)
    return Adversary(AdversarialConfig(**settings), PatchGAN(width=4, layers=2), nn.Identity())


def photos(seed: int) -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def penalty_of(adversary: Adversary, step: int = 0, **images: Tensor) -> float:
    """Return the penalty of a step, with the same random signs of patches each time."""
    torch.manual_seed(0)
    penalty = adversary.penalty(StepProgress(step), **images)
    return penalty.item() if isinstance(penalty, Tensor) else penalty


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "hinge", "relativistic"])
def test_r1_is_part_of_every_nth_step_and_n_times_as_strong(gan_loss: str) -> None:
    adversary = new_adversary(gan_loss=gan_loss, lambda_r1=10, lambda_r2=0, r1_every=4)
    every_step = new_adversary(gan_loss=gan_loss, lambda_r1=10, lambda_r2=0, r1_every=1)
    images = {"real": photos(1), "fake": photos(2)}
    lazy = [penalty_of(adversary, step, **images) for step in range(8)]
    once = penalty_of(every_step, 5, **images)
    assert once > 0.01
    assert lazy == pytest.approx(2 * [4 * once, 0, 0, 0])
    variants = [adversary.variant(StepProgress(step)) for step in range(8)]
    assert variants == [variants[0], *3 * [variants[1]]] * 2
    assert variants[0] != variants[1]


def test_r1_is_of_real_images_and_r2_of_generated_ones() -> None:
    real, fake = photos(1), photos(2)
    r1 = penalty_of(new_adversary(lambda_r1=1), real=real, fake=fake)
    r2 = penalty_of(new_adversary(lambda_r2=1), real=real, fake=fake)
    assert r1 == penalty_of(new_adversary(lambda_r2=1), real=fake, fake=real)
    assert r1 != pytest.approx(r2, rel=1e-3)
    assert penalty_of(new_adversary(lambda_r1=3), real=real, fake=fake) == pytest.approx(3 * r1)
    both = new_adversary(lambda_r1=1, lambda_r2=1)
    assert penalty_of(both, real=real, fake=fake) == pytest.approx(r1 + r2, rel=0.5)


def penalty_gradient(dtype: torch.dtype, memory_format: torch.memory_format, spectral: bool) -> Tensor:
    """Return the gradient of R1 for all weights of a discriminator, under autocast for half precision."""
    adversary = new_adversary(lambda_r1=1, r1_every=1)
    body = adversary.d.body
    for number, layer in enumerate(body):
        if isinstance(layer, nn.LeakyReLU):  # Rounding may put an input on the other side of its kink.
            body[number] = nn.SiLU()
    if spectral:
        add_spectral_norm(adversary.d)
    adversary.d.to(memory_format=memory_format)
    scaler = torch.amp.GradScaler("cpu", init_scale=2**10, enabled=dtype == torch.float16)
    half = dtype in (torch.bfloat16, torch.float16)
    if not half:
        adversary.d.to(dtype)
    real = photos(1).to(torch.float32 if half else dtype).to(memory_format=memory_format)
    with torch.autocast("cpu", dtype=dtype) if half else nullcontext():
        penalty = adversary.penalty(StepProgress(), real=real, fake=real)
    assert isinstance(penalty, Tensor)
    scaler.scale(penalty).backward()
    gradients = [weight.grad.double() for weight in adversary.d.parameters() if weight.grad is not None]
    return torch.cat([gradient.flatten() for gradient in gradients]) / scaler.get_scale()


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03), (torch.float16, 0.004)]
)
def test_the_gradient_of_r1_is_right_in_each_precision_and_memory_format(
    dtype: torch.dtype, tolerance: float, spectral: bool
) -> None:
    exact = penalty_gradient(torch.float64, torch.contiguous_format, spectral)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        gradient = penalty_gradient(dtype, memory_format, spectral)
        assert (gradient - exact).norm() < tolerance * exact.norm()


@pytest.mark.parametrize("discriminator", ["patch", "multiscale"])
def test_one_batched_forward_pass_gives_the_losses_of_two(discriminator: str) -> None:
    """CycleGAN scores real and generated images together, and the conditional methods one after the other."""
    settings = {"image_size": 32, "ngf": 4, "ndf": 4, "blocks": 1, "d_layers": 1, "d_scales": 3}
    if discriminator == "patch":
        del settings["d_scales"]
    torch.manual_seed(0)
    adversary = CycleGAN(CycleGANConfig(discriminator=discriminator, **settings)).adversary_a
    halves: list[Tensor] = []
    update = Updates(lambda name, loss, step: halves.append(loss.detach()))
    logged = adversary.update_discriminator(update, StepProgress(), real=photos(1), fake=photos(2))
    batched = adversary.discriminator_loss(real=photos(1), fake=photos(2))
    assert sum(map(float, halves)) == pytest.approx(batched.item() / 2, rel=1e-5)
    assert logged.item() == pytest.approx(batched.item() / 2, rel=1e-5)


@pytest.mark.parametrize("settings", [{"ada": True}, {"diffaugment": True}, {"gan_loss": "relativistic"}])
def test_r1_differentiates_the_image_that_the_discriminator_sees(settings: dict[str, Any]) -> None:
    """ADA samples an image at new places, which torch cannot differentiate twice."""
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "d_layers": 2, "norm": "instance"}
    torch.manual_seed(0)
    trainer = Pix2Pix(Pix2PixConfig(lambda_r1=10, r1_every=1, **small, **settings))
    if settings.get("ada"):
        trainer.augment.p.fill_(0.5)
    real, condition = photos(1), photos(2)
    trainer.adversary.penalty(StepProgress(), real=real, fake=real, condition=condition).backward()
    assert trainer.d.body[0].weight.grad.abs().sum() > 0
    with torch.no_grad():  # A discriminator that ignores the image has no gradient, whatever the condition.
        trainer.d.body[0].weight[:, 3:] = 0
    assert penalty_of(trainer.adversary, real=real, fake=real, condition=condition) == 0
