"""Settings that are each allowed but do not go together, and what follows from settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from translate.config import ImageTrainConfig
from translate.errors import UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.networks import PatchGAN


def test_steps_and_minutes_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="steps 10 and minutes 2 are two lengths: give one of them"):
        Pix2PixConfig(steps=10, minutes=2)


def test_the_gradient_penalty_needs_a_norm_that_keeps_images_apart() -> None:
    with pytest.raises(UsageError, match="use --norm instance"):
        Pix2PixConfig(gan_loss="wgan-gp")
    assert Pix2PixConfig(gan_loss="wgan-gp", norm="instance").norm == "instance"
    assert CycleGANConfig(gan_loss="wgan-gp").norm == "instance"


@pytest.mark.parametrize(
    ("kind", "settings", "remedy"),
    [
        (CycleGANConfig, {"image_size": 65}, "65 is not a multiple of 4.* use --image-size 64 or 68$"),
        (
            Pix2PixConfig,
            {"image_size": 100},
            "100 is not a multiple of 64.* use --image-size 64 or 128, or fewer --levels$",
        ),
        (
            Pix2PixConfig,
            {"image_size": 64, "levels": 7},
            "64 is not a multiple of 128.* use --image-size 128, or fewer --levels$",
        ),
    ],
)
def test_a_size_that_the_generator_cannot_take_is_refused(
    kind: type[ImageTrainConfig], settings: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(UsageError, match=remedy):
        kind(**settings)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_least_size_of_a_patchgan_is_the_least_that_it_can_judge(layers: int) -> None:
    least = 3 * 2**layers
    discriminator = PatchGAN(width=1, layers=layers)
    size = max(least, 8)
    assert CycleGANConfig(image_size=size, d_layers=layers).image_size == size
    assert discriminator(torch.zeros(1, 3, least, least)).shape == (1, 1, 1, 1)
    if least > 8:  # no image is smaller
        with pytest.raises(UsageError, match=f"under {least}, the least"):
            CycleGANConfig(image_size=least - 4, d_layers=layers)


def test_a_pixel_discriminator_takes_the_smallest_images() -> None:
    assert CycleGANConfig(image_size=8, discriminator="pixel").image_size == 8


@pytest.mark.parametrize(("size", "levels"), [(32, 5), (64, 6), (256, 8), (512, 8)])
def test_a_unet_has_log2_of_the_size_levels_at_most_8(size: int, levels: int) -> None:
    config = Pix2PixConfig(image_size=size)
    assert config.depth == levels
    assert config.size_multiple == 2**levels


def test_images_are_resized_by_the_papers_margin() -> None:
    assert Pix2PixConfig().resize_to == 286
    assert Pix2PixConfig(image_size=128).resize_to == 143
    assert Pix2PixConfig(load_size=300).resize_to == 300


@pytest.mark.parametrize(
    ("settings", "statistics"),
    [
        ({"batch_size": 1}, "picture"),
        ({"batch_size": 4}, "running"),
        ({"batch_size": 1, "statistics": "running"}, "running"),
        ({"batch_size": 4, "statistics": "picture"}, "picture"),
    ],
)
def test_batch_norm_is_applied_as_it_was_trained(settings: dict[str, Any], statistics: str) -> None:
    assert Pix2PixConfig(**settings).applied_statistics == statistics


def test_generators_and_discriminators_may_have_rates_of_their_own() -> None:
    c = CycleGANConfig(lr=1e-3, lr_d=4e-4, beta1_g=0.0, beta2=0.9)
    assert c.rates("g") == (1e-3, (0.0, 0.9))
    assert c.rates("d") == (4e-4, (0.5, 0.9))
    assert CycleGANConfig(lr=0).rates("g") == CycleGANConfig(lr=0).rates("d") == (0, (0.5, 0.999))
