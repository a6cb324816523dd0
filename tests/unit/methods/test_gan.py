"""The steps of the GANs from noise: GAN, DCGAN, CGAN, WGAN, WGAN-GP and InfoGAN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.updates import Updates
from translate.methods.gan.config import BaseGANConfig, GANConfig, WGANGPConfig
from translate.methods.gan.trainer import GAN
from translate.methods.gan.wgan import WGANGP
from translate.methods.registry import METHODS
from translate.methods.trainer import StepProgress, Trainer

NAMES = ["gan", "dcgan", "cgan", "wgan", "wgan-gp", "infogan"]
SMALL = {"image_size": 16, "ngf": 4, "ndf": 4, "channels": 3, "batch_size": 6}


def new(method: str, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    recipe = METHODS[method]
    classes = {"classes": 3} if method == "cgan" else {}
    return recipe.load_task().trainer(recipe.config_class()(**{**SMALL, **classes, **settings}))


def batch(steps: int = 1) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.rand(6 * steps, 3, 16, 16, generator=random) * 2 - 1
    return {"image": images, "label": torch.arange(6 * steps) % 3}


def take_step(trainer: Trainer, images: dict[str, Tensor]) -> list[str]:
    """Take a step; return the names of the optimizers that stepped, in order."""
    names = []

    def handle(name: str, loss: Tensor, step: bool) -> None:
        assert step
        optimizer = trainer.optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        names.append(name)

    trainer.step(images, Updates(handle), StepProgress())
    return names


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("method", NAMES)
def test_the_discriminator_takes_k_steps_and_the_generator_one(method: str, steps: int) -> None:
    assert take_step(new(method, d_steps=steps), batch(steps)) == ["d"] * steps + ["g"]


@pytest.mark.parametrize("method", NAMES)
def test_each_step_of_the_discriminator_gets_new_images(method: str) -> None:
    trainer, images, inputs = new(method, d_steps=3), batch(3), []
    trainer.augment.register_forward_hook(lambda module, args, out: inputs.append(args[0].detach()))
    take_step(trainer, images)
    for part in images["image"].chunk(3):
        assert sum(len(x) == 6 and x.equal(part) for x in inputs) == 1


@pytest.mark.parametrize("method", NAMES)
def test_each_loss_has_gradients_in_all_networks_of_its_optimizer(method: str) -> None:
    trainer = new(method)
    networks: dict[str, set[str]] = {}  # Those of the optimizer that have a gradient, by optimizer.

    def handle(name: str, loss: Tensor, step: bool) -> None:
        own = {id(w) for group in trainer.optimizers[name].param_groups for w in group["params"]}
        trainer.optimizers[name].zero_grad()
        loss.backward()
        networks[name] = {
            key.partition(".")[0]
            for key, w in trainer.named_parameters()
            if id(w) in own and w.grad is not None and w.grad.any()
        }
        for weight in trainer.parameters():
            weight.grad = None

    trainer.step(batch(trainer.d_steps), Updates(handle), StepProgress())
    assert networks["g"] == {"g"}
    assert networks["d"] == {"d"} | {"cgan": {"fit"}, "infogan": {"q"}}.get(method, set())


def test_weight_clipping_bounds_the_weights_of_the_critic_only() -> None:
    trainer = new("wgan", clip=0.02, lr=1.0, d_steps=2)
    take_step(trainer, batch(2))
    assert max(float(weight.detach().abs().max()) for weight in trainer.d.parameters()) == pytest.approx(0.02)
    assert max(float(weight.detach().abs().max()) for weight in trainer.g.parameters()) > 0.1


def test_spectral_norm_scales_the_largest_singular_value_of_each_layer_to_1() -> None:
    trainer = new("dcgan", spectral=True, d_norm="none").train()
    for _ in range(30):
        trainer.d(batch()["image"])
    for layer in trainer.d.modules():
        if isinstance(layer, nn.Conv2d):
            assert float(torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]) == pytest.approx(
                1, abs=0.05
            )


@pytest.mark.parametrize("method", NAMES)
def test_all_randomness_of_a_step_comes_from_torchs_generator(method: str) -> None:
    """A resumed run restores that generator, and so continues bit for bit."""
    weights = []
    for _ in range(2):
        trainer = new(method, diffaugment=True)
        torch.manual_seed(5)
        take_step(trainer, batch(trainer.d_steps))
        weights.append(torch.cat([weight.detach().flatten() for weight in trainer.parameters()]))
    assert weights[0].equal(weights[1])


# A mixture of 25 Gaussians, whose centers form a grid.
CENTERS = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3)) / 2
STANDARD_DEVIATION = 0.025


def draw_points(count: int) -> Tensor:
    """Draw points from the mixture, as images of one pixel with two channels."""
    centers = CENTERS[torch.randint(25, (count,))]
    return (centers + STANDARD_DEVIATION * torch.randn(count, 2))[:, :, None, None]


def mlp(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(in_channels, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, out_channels),
        nn.Unflatten(1, (out_channels, 1, 1)),
    )


def count_modes(trainer_class: type[GAN] | type[WGANGP], c: BaseGANConfig, steps: int) -> int:
    """Train, and return the number of Gaussians with a sample within three standard deviations, of 1000."""
    torch.manual_seed(0)
    trainer = trainer_class(c)
    trainer.g, trainer.d = mlp(c.latent, 2), mlp(2, 1)
    trainer.optimizers = {
        name: torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.9), fused=True)
        for name, network in (("d", trainer.d), ("g", trainer.g))
    }
    for _ in range(steps):
        take_step(trainer, {"image": draw_points(128 * c.d_steps)})
    with torch.no_grad():
        samples = trainer.g(torch.randn(1000, c.latent))[:, :, 0, 0]
    distances, nearest = torch.cdist(samples, CENTERS).min(dim=1)
    return len(set(nearest[distances < 3 * STANDARD_DEVIATION].tolist()))


@pytest.mark.slow
def test_wgan_gp_covers_a_mixture_of_gaussians_where_the_gan_has_mode_collapse() -> None:
    settings = {"latent": 2, "channels": 3, "image_size": 8, "networks": "mlp", "d_norm": "none"}
    wgan_gp = count_modes(WGANGP, WGANGPConfig(**settings, lambda_gp=0.1), steps=1500)
    gan = count_modes(GAN, GANConfig(**settings), steps=3000)
    assert wgan_gp >= 20
    assert gan < wgan_gp
