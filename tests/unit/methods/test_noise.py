"""The methods that make images from noise."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.updates import Updates
from translate.methods.gan.config import GANConfig, NoiseTrainConfig, WGANGPConfig
from translate.methods.gan.trainer import GAN
from translate.methods.gan.wgan import WGANGP
from translate.methods.registry import METHODS
from translate.methods.trainer import StepProgress, Trainer

NAMES = ["gan", "dcgan", "cgan", "wgan", "wgan-gp", "infogan"]
SMALL = {"image_size": 16, "ngf": 4, "ndf": 4, "channels": 3, "batch_size": 6}


def new(method: str, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    found = METHODS[method]
    classes = {"classes": 3} if method == "cgan" else {}
    return found.load_task().trainer(found.config_class()(**{**SMALL, **classes, **settings}))


def batch(steps: int = 1) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.rand(6 * steps, 3, 16, 16, generator=random) * 2 - 1
    return {"image": images, "label": torch.arange(6 * steps) % 3}


def take(trainer: Trainer, given: dict[str, Tensor]) -> list[str]:
    """One step; the optimizers that acted, in order."""
    acted = []

    def handle(name: str, loss: Tensor, step: bool) -> None:
        assert step
        optimizer = trainer.optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        acted.append(name)

    trainer.step(given, Updates(handle), StepProgress())
    return acted


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("method", NAMES)
def test_k_steps_of_the_discriminator_are_k(method: str, steps: int) -> None:
    assert take(new(method, d_steps=steps), batch(steps)) == ["d"] * steps + ["g"]


@pytest.mark.parametrize("method", NAMES)
def test_each_step_of_the_discriminator_sees_other_images(method: str) -> None:
    trainer, given, seen = new(method, d_steps=3), batch(3), []
    trainer.augment.register_forward_hook(lambda module, args, out: seen.append(args[0].detach()))
    take(trainer, given)
    for part in given["image"].chunk(3):
        assert sum(len(x) == 6 and x.equal(part) for x in seen) == 1


@pytest.mark.parametrize("method", NAMES)
def test_an_update_moves_its_own_networks_only(method: str) -> None:
    trainer = new(method)
    moved: dict[str, set[str]] = {}

    def handle(name: str, loss: Tensor, step: bool) -> None:
        own = {id(w) for group in trainer.optimizers[name].param_groups for w in group["params"]}
        trainer.optimizers[name].zero_grad()
        loss.backward()
        grown = {n for n, w in trainer.named_parameters() if w.grad is not None and w.grad.abs().sum() > 0}
        moved[name] = {n.split(".")[0] for n in grown if id(dict(trainer.named_parameters())[n]) in own}
        for weight in trainer.parameters():
            weight.grad = None

    trainer.step(batch(trainer.d_steps), Updates(handle), StepProgress())
    assert moved["g"] == {"g"}
    assert moved["d"] == {"d"} | {"cgan": {"fit"}, "infogan": {"q"}}.get(method, set())


def test_clipping_bounds_all_weights_of_the_critic_and_none_of_the_generator() -> None:
    trainer = new("wgan", clip=0.02, lr=1.0, d_steps=2)
    take(trainer, batch(2))
    assert max(float(weight.detach().abs().max()) for weight in trainer.d.parameters()) == pytest.approx(0.02)
    assert max(float(weight.detach().abs().max()) for weight in trainer.g.parameters()) > 0.1


def test_spectral_norm_leaves_no_layer_a_singular_value_over_one() -> None:
    trainer = new("dcgan", spectral=True, d_norm="none").train()
    for _ in range(30):
        trainer.d(batch()["image"])
    for layer in trainer.d.modules():
        if isinstance(layer, nn.Conv2d):
            assert float(torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]) == pytest.approx(
                1, abs=0.05
            )


@pytest.mark.parametrize("method", NAMES)
def test_what_is_random_in_a_step_is_torchs(method: str) -> None:
    """So that a resumed run, which restores it, goes on bit for bit."""
    ends = []
    for _ in range(2):
        trainer = new(method, diffaugment=True)
        torch.manual_seed(5)
        take(trainer, batch(trainer.d_steps))
        ends.append(torch.cat([weight.detach().flatten() for weight in trainer.parameters()]))
    assert ends[0].equal(ends[1])


# 25 Gaussians on a grid.

PLACES = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3)) / 2
SPREAD = 0.025


def points(count: int) -> Tensor:
    places = PLACES[torch.randint(25, (count,))]
    return (places + SPREAD * torch.randn(count, 2))[:, :, None, None]


def layers(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(before, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, after),
        nn.Unflatten(1, (after, 1, 1)),
    )


def covered(kind: type[GAN] | type[WGANGP], c: NoiseTrainConfig, steps: int) -> int:
    """Places with a sample within three times the spread, of 1000 samples."""
    torch.manual_seed(0)
    trainer = kind(c)
    trainer.g, trainer.d = layers(c.latent, 2), layers(2, 1)
    trainer.optimizers = {
        name: torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.9), fused=True)
        for name, network in (("d", trainer.d), ("g", trainer.g))
    }
    for _ in range(steps):
        take(trainer, {"image": points(128 * c.d_steps)})
    with torch.no_grad():
        made = trainer.g(torch.randn(1000, c.latent))[:, :, 0, 0]
    distances, nearest = torch.cdist(made, PLACES).min(dim=1)
    return len(Counter(nearest[distances < 3 * SPREAD].tolist()))


@pytest.mark.slow
def test_wgan_gp_covers_a_grid_of_gaussians_where_the_plain_gan_drops_some() -> None:
    settings = {"latent": 2, "channels": 3, "image_size": 8, "networks": "mlp", "d_norm": "none"}
    wgan_gp = covered(WGANGP, WGANGPConfig(**settings, lambda_gp=0.1), steps=1500)
    plain = covered(GAN, GANConfig(**settings), steps=3000)
    assert wgan_gp >= 20
    assert plain < wgan_gp
