"""Combinations of training settings that are refused, and what is derived from settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from translate.config import ImageTrainConfig
from translate.config.training.adversarial import choose_adversarial_loss
from translate.errors import UsageError
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.cut.config import CUTConfig
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.stargan.config import StarGANConfig
from translate.networks import PatchGAN
from translate.networks.discriminators import MultiscaleDiscriminator


def test_steps_and_minutes_exclude_each_other() -> None:
    with pytest.raises(UsageError, match=r"steps 10 .*minutes 2"):
        Pix2PixConfig(steps=10, minutes=2)


def test_the_gradient_penalty_needs_a_norm_that_does_not_mix_images() -> None:
    with pytest.raises(UsageError, match=r"wgan-gp.*--norm instance"):
        Pix2PixConfig(gan_loss="wgan-gp")
    assert Pix2PixConfig(gan_loss="wgan-gp", norm="instance").norm == "instance"
    assert CycleGANConfig(gan_loss="wgan-gp").norm == "instance"


def test_gradient_accumulation_must_divide_the_batch() -> None:
    with pytest.raises(UsageError, match=r"accumulate 4 .*batch_size 6.*--accumulate 3"):
        CycleGANConfig(batch_size=6, accumulate=4)
    assert CycleGANConfig(batch_size=6, accumulate=3).accumulation_steps == 3


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (CycleGANConfig, {"image_size": 65}, "65 .*multiple of 4.*--image-size 64 or 68$"),
        (Pix2PixConfig, {"image_size": 100}, "100 .*multiple of 64.*--image-size 64 or 128, .*--levels$"),
        (
            Pix2PixConfig,
            {"image_size": 64, "levels": 7},
            "64 .*multiple of 128.*--image-size 128, .*--levels$",
        ),
    ],
)
def test_a_size_that_the_generator_cannot_take_is_refused(
    kind: type[ImageTrainConfig], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        kind(**settings)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_minimum_image_size_is_the_smallest_that_a_patchgan_can_score(layers: int) -> None:
    minimum = 3 * 2**layers
    discriminator = PatchGAN(width=1, layers=layers)
    size = max(minimum, 8)
    assert CycleGANConfig(image_size=size, d_layers=layers).image_size == size
    assert discriminator(torch.zeros(1, 3, minimum, minimum)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="more than 1"):
        discriminator(torch.zeros(1, 3, minimum - 1, minimum - 1))
    if minimum > 8:  # No smaller image size is allowed.
        with pytest.raises(UsageError, match=f"image_size {minimum - 4} .*{minimum}.*--d-layers"):
            CycleGANConfig(image_size=minimum - 4, d_layers=layers)


def test_each_scale_of_a_multiscale_discriminator_doubles_the_minimum_image_size() -> None:
    settings = {"discriminator": "multiscale", "d_layers": 2, "d_scales": 3}
    assert CycleGANConfig(image_size=48, **settings).min_image_size == 48
    discriminator = MultiscaleDiscriminator(width=1, layers=2, scales=3)
    assert discriminator(torch.zeros(1, 3, 48, 48))[-1].shape == (1, 1, 1, 1)
    with pytest.raises(
        UsageError, match=r"image_size 44 .*48.*3 scales.*2 layers.*--d-scales or .*--d-layers"
    ):
        CycleGANConfig(image_size=44, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_scales": 2}, r"d_scales 2 .*--discriminator multiscale.*--d-scales"),
        ({"d_downsample": "blur", "discriminator": "pixel"}, r"d_downsample blur .*--discriminator patch"),
        ({"r1_every": 4}, r"r1_every 4 .*--lambda-r1.*--r1-every"),
        ({"gan_loss": "wgan-gp", "lambda_r1": 10}, r"lambda_r1 10 .*wgan-gp.*only one"),
        ({"norm": "batch", "lambda_r2": 1}, r"lambda_r2 1 .*norm batch.*--norm instance"),
        ({"norm": "batch", "gan_loss": "relativistic"}, r"relativistic .*norm batch.*--norm instance"),
        ({"gan_loss": "relativistic", "preprocess": "none"}, r"relativistic .*one size.*resize_and_crop"),
        ({"gan_loss": "relativistic", "ada": True}, r"ada .*relativistic.*--diffaugment"),
        ({"discriminator": "projected", "d_layers": 2}, r"d_layers 2 .*--discriminator patch.*--d-layers"),
        (
            {"discriminator": "projected", "spectral": True},
            r"spectral on .*--discriminator patch.*--spectral",
        ),
        (
            {"backbone": "efficientnet_b0"},
            r"backbone efficientnet_b0 .*--discriminator projected.*--backbone",
        ),
        ({"discriminator": "projected", "backbone": "mobilenet"}, r"'mobilenet'.*'mobilenet_v2'"),
    ],
)
def test_settings_of_the_adversary_that_do_not_go_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CycleGANConfig(**settings)


def test_a_projected_discriminator_needs_an_adversarial_loss() -> None:
    with pytest.raises(UsageError, match=r"projected .*lambda_gan 0.*--lambda-gan 0.1"):
        ColorizeConfig(discriminator="projected")
    assert ColorizeConfig(discriminator="projected", lambda_gan=1).discriminator_backbone == "mobilenet_v2"
    assert ColorizeConfig(lambda_gan=1).discriminator_backbone is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discriminator", "multiscale"),
        ("spectral", "on"),
        ("gan_loss", "relativistic"),
        ("lambda_r1", 1),
        ("lambda_r2", "1"),
    ],
)
def test_a_new_run_without_an_adversarial_loss_refuses_choices_about_it(name: str, value: Any) -> None:
    with pytest.raises(
        UsageError, match=rf"{name} .*--lambda-gan, such as 0.1: .*--{name.replace('_', '-')}"
    ):
        choose_adversarial_loss(ColorizeConfig, {name: value})
    settings = {name: value, "lambda_gan": 0.1}
    assert choose_adversarial_loss(ColorizeConfig, settings) == (settings, [])
    assert choose_adversarial_loss(CycleGANConfig, {name: value}) == ({name: value}, [])


def test_cut_needs_its_adversarial_loss() -> None:
    with pytest.raises(UsageError, match=r"lambda_gan 0 .*--lambda-gan 1"):
        CUTConfig(lambda_gan=0)


def test_stargan_refuses_a_discriminator_that_does_not_classify() -> None:
    with pytest.raises(UsageError, match=r"discriminator projected .*domains apart: leave --discriminator"):
        StarGANConfig(discriminator="projected")


def test_r1_and_r2_have_the_weights_of_r3gan_by_default_only_with_its_loss() -> None:
    assert CycleGANConfig().penalty_weights == (0, 0)
    assert CycleGANConfig(lambda_r1=10).penalty_weights == (10, 0)
    assert CycleGANConfig(lambda_r1=10).penalty_interval == 16
    c = CycleGANConfig(gan_loss="relativistic")
    assert c.penalty_weights == (2, 2)
    assert c.penalty_interval == 1
    assert CycleGANConfig(gan_loss="relativistic", lambda_r1=5).penalty_weights == (5, 2)


def test_a_pixel_discriminator_takes_the_smallest_images() -> None:
    assert CycleGANConfig(image_size=8, discriminator="pixel").image_size == 8


@pytest.mark.parametrize(("size", "levels"), [(32, 5), (64, 6), (256, 8), (512, 8)])
def test_a_unet_has_log2_of_the_image_size_levels_and_at_most_8(size: int, levels: int) -> None:
    config = Pix2PixConfig(image_size=size)
    assert config.depth == levels
    assert config.size_multiple == 2**levels


def test_the_load_size_is_larger_than_the_crop_by_the_ratio_of_the_paper() -> None:
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


def test_generators_and_discriminators_can_have_their_own_learning_rate_and_betas() -> None:
    config = CycleGANConfig(lr=1e-3, lr_d=4e-4, beta1_g=0.0, beta2=0.9)
    assert config.learning_rate_and_betas("g") == (1e-3, (0.0, 0.9))
    assert config.learning_rate_and_betas("d") == (4e-4, (0.5, 0.9))


@pytest.mark.parametrize("role", ["g", "d"])
def test_a_learning_rate_of_zero_is_not_replaced_by_the_default(role: str) -> None:
    assert CycleGANConfig(lr=0).learning_rate_and_betas(role) == (0, (0.5, 0.999))
    assert CycleGANConfig(lr=1e-3, **{f"lr_{role}": 0}).learning_rate_and_betas(role)[0] == 0
