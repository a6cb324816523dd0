"""BigGAN's settings, and what its step passes to the discriminator and adds to the generator's gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.images import noise
from tests.updates import Updates
from translate.errors import UsageError
from translate.methods.biggan.config import BigGANConfig
from translate.methods.biggan.trainer import BigGAN
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress

SMALL = {"image_size": 32, "ngf": 2, "ndf": 2, "batch_size": 3, "channels": 3, "classes": 4}


def new(**settings: Any) -> BigGAN:
    torch.manual_seed(0)
    return BigGAN(BigGANConfig(**{**SMALL, **settings}))


def batch(steps: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.rand(3 * steps, 3, 32, 32, generator=random) * 2 - 1
    return {"image": images, "label": torch.arange(3 * steps) % 4}


def take_step(trainer: BigGAN, images: dict[str, Tensor]) -> list[str]:
    """Compute the gradients of a step without an update; return the names of the optimizers, in order."""
    names = []

    def handle(name: str, loss: Tensor, step: bool) -> None:
        assert step
        names.append(name)
        loss.backward()

    torch.manual_seed(2)
    trainer.step(images, Updates(handle), StepProgress())
    return names


@pytest.mark.parametrize("steps", [1, 3])
def test_the_discriminator_scores_generated_and_new_real_images_of_the_same_classes(steps: int) -> None:
    trainer, images, calls = new(d_steps=steps), batch(steps), []
    trainer.d.register_forward_hook(lambda module, args, output: calls.append(args))
    assert take_step(trainer, images) == ["d"] * steps + ["g"]
    parts = zip(images["image"].chunk(steps), images["label"].chunk(steps), strict=True)
    for (x, y), (seen, classes) in zip(parts, calls[:-1], strict=True):
        assert seen[3:].equal(x)
        assert classes.equal(torch.cat([y, y]))
    assert len(calls[-1][0]) == 3


def test_orthogonal_regularization_adds_its_gradient_to_all_matrices_but_the_class_embedding() -> None:
    plain, regularized = new(lambda_ortho=0), new(lambda_ortho=0.1)
    for trainer in (plain, regularized):
        torch.manual_seed(3)
        for weight in trainer.g.parameters():  # Orthogonal rows would have no penalty.
            nn.init.normal_(weight, std=0.5)
        take_step(trainer, batch(2))
    gradients = {name: weight.grad for name, weight in plain.g.named_parameters()}
    for name, weight in regularized.g.named_parameters():
        added, expected = weight.grad - gradients[name], torch.zeros_like(weight)
        if weight.dim() > 1 and name != "embedding.weight":
            matrix = weight.detach().flatten(1)
            products = matrix @ matrix.T
            expected = (0.2 * (products - products.diag().diag()) @ matrix).view_as(weight)
        scale = gradients[name].abs().max() + expected.abs().max()
        assert (added - expected).abs().max() <= 1e-5 * scale, name


def test_the_generator_learns_at_a_quarter_of_the_rate_unless_told_otherwise() -> None:
    rates = BigGANConfig(lr=1e-3), BigGANConfig(lr=1e-3, lr_g=5e-4)
    assert [c.learning_rate_and_betas("g")[0] for c in rates] == [2.5e-4, 5e-4]
    assert [c.learning_rate_and_betas("d")[0] for c in rates] == [1e-3, 1e-3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_size": 16}, ("image_size", "16", "32")),
        ({"attention": 64}, ("attention 64", "--attention 16 or 32")),
        ({"attention": 24}, ("attention 24", "--attention 16 or 32")),
        ({"image_size": 32, "attention": 8}, ("attention 8", "--attention 16")),
        ({"batch_size": 1}, ("batch_size 1", "--batch-size 2")),
    ],
)
def test_settings_without_networks_are_refused(settings: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        BigGANConfig(**settings)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize("method", ["biggan", "cgan"])
def test_a_dataset_of_one_class_is_refused(method: str, tmp_path: Path) -> None:
    (tmp_path / "tiger").mkdir()
    for number in range(3):
        noise(tmp_path / "tiger" / f"{number}.png", seed=number)
    c = find_method(method).config_class()(data=str(tmp_path), cache_size=0)
    with pytest.raises(UsageError, match=r"one class, 'tiger'.*dcgan"):
        find_method(method).load_task().data(c)
