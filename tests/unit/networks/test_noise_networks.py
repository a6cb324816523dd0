"""Tests of the generators from noise, of their discriminators and of DiffAugment."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translate.config import GeneratorSpec
from translate.networks import DISCRIMINATORS, GENERATORS, ProGANDiscriminator, ProGANGenerator
from translate.networks.augmentation import DiffAugment, color_jitter, cutout, translation
from translate.networks.discriminators.heads import CodeHead, ProjectionHead
from translate.networks.equalized import EqualizedConv2d, EqualizedLinear
from translate.networks.initialization import create_untrained_generator
from translate.networks.minibatch_std import append_minibatch_std


@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_a_generator_maps_noise_to_images_and_a_discriminator_images_to_scores(name: str, depth: int) -> None:
    side = 4 * 2**depth
    image = GENERATORS[name](7, 3, width=2, depth=depth)(torch.randn(2, 7))
    assert image.shape == (2, 3, side, side)
    assert image.abs().max() <= 1
    network = DISCRIMINATORS[name](3, width=2, depth=depth)
    assert network(image).shape == (2, 1, 1, 1)
    assert network(image, features=True)[1].shape[1:] == network.feature_shape


def test_dcgan_has_the_layers_of_the_paper() -> None:
    """These are the layers of figure 1 at half the width, as in the authors' code."""
    network = GENERATORS["dcgan"](100, 3, width=64, depth=4)
    shapes = [tuple(weight.shape) for weight in network.parameters() if weight.ndim == 4]
    assert shapes == [(100, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4), (128, 64, 4, 4), (64, 3, 4, 4)]


def test_an_untrained_dcgan_has_weights_of_deviation_0_02() -> None:
    torch.manual_seed(0)
    network = create_untrained_generator(GeneratorSpec(name="dcgan", args={"width": 16}))
    weights = torch.cat([weight.flatten() for weight in network.parameters() if weight.ndim == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


# Progressive growing


@pytest.mark.parametrize("depth", [0, 2])
def test_the_networks_of_progan_have_a_layer_from_and_to_colours_at_each_level(depth: int) -> None:
    widths = {"depth": depth, "fmap_base": 32, "fmap_max": 8}
    g, d = ProGANGenerator(7, 3, **widths), ProGANDiscriminator(3, **widths)
    for level in range(depth + 1):
        image = g(torch.randn(6, 7), level)
        assert image.shape == (6, 3, 4 * 2**level, 4 * 2**level)
        assert d(image).shape == (6, 1)
    channels = [layer.in_channels for layer in g.to_rgb]
    assert channels == [8, 8, 4][: depth + 1]


@pytest.mark.parametrize("lr_mul", [1, 0.01])
def test_equalized_layers_keep_the_deviation_of_noise_and_start_at_that_of_lr_mul(lr_mul: float) -> None:
    torch.manual_seed(0)
    layers = [
        (EqualizedLinear(400, 300, gain=2, lr_mul=lr_mul), torch.randn(50, 400)),
        (EqualizedConv2d(40, 300, 3, gain=2, lr_mul=lr_mul), torch.randn(2, 40, 8, 8)),
    ]
    for layer, x in layers:
        assert layer.weight.std().item() == pytest.approx(1 / lr_mul, rel=0.02)
        assert layer(x).std().item() == pytest.approx(2, rel=0.05)
        zeros = layer(torch.zeros_like(x))
        assert not zeros.any()
        torch.nn.init.constant_(layer.bias, 5)
        assert layer(torch.zeros_like(x)).mean().item() == pytest.approx(5 * lr_mul)


def test_a_batch_that_groups_do_not_divide_has_smaller_groups() -> None:
    x = torch.randn(6, 4, 2, 2)
    features = append_minibatch_std(x, group_size=4)
    assert features[:, :4].equal(x)
    for first in (0, 1):  # Two groups of three.
        expected = (x[first::2].var(dim=0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(features[first::2, 4], expected.expand(3, 2, 2))


def test_minibatch_std_of_several_channels_takes_contiguous_parts() -> None:
    x = torch.randn(4, 4, 2, 2)
    features = append_minibatch_std(x, channels=2)
    for part in range(2):
        alone = append_minibatch_std(x[:, 2 * part : 2 * part + 2])
        torch.testing.assert_close(features[:, 4 + part], alone[:, 2])


# Heads


def test_a_projection_adds_the_product_of_features_and_class_embedding() -> None:
    torch.manual_seed(0)
    head, features = ProjectionHead((4, 2, 2), classes=3), torch.randn(2, 4, 2, 2)
    labels = torch.eye(3)[[2, 0]]
    expected = [features[n].sum(dim=(1, 2)) @ head.embedding.weight[:, c] for n, c in enumerate((2, 0))]
    torch.testing.assert_close(head(features, labels), torch.stack(expected).view(2, 1, 1, 1))


def test_the_q_network_predicts_categories_and_continuous_codes() -> None:
    logits, means = CodeHead((4, 2, 2), categories=5, codes=2)(torch.randn(3, 4, 2, 2))
    assert logits.shape == (3, 5)
    assert means.shape == (3, 2)


# DiffAugment


def test_each_image_is_augmented_differently_and_gets_a_gradient() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32).expand(4, -1, -1, -1).clone().requires_grad_()
    out = DiffAugment()(x)
    assert out.shape == x.shape
    assert not out[0].equal(out[1])
    out.sum().backward()
    assert x.grad.abs().sum(dim=(1, 2, 3)).min() > 0


def test_a_uniform_gray_image_changes_its_brightness_and_loses_a_square() -> None:
    """It has no saturation and no contrast: one level of brightness and zeros remain."""
    torch.manual_seed(0)
    out = DiffAugment()(torch.full((8, 3, 32, 32), 0.3))
    for image in out:
        assert len(image.unique()) <= 2 + 2  # The means are rounded.
        assert 0.1 < (image == 0).float().mean() < 0.6


def test_color_jitter_changes_brightness_saturation_and_contrast_within_their_limits() -> None:
    torch.manual_seed(0)
    x = (torch.rand(1, 3, 8, 8) * 2 - 1).expand(200, -1, -1, -1)
    out = color_jitter(x)

    def mean(images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3))

    def chroma(images: Tensor) -> Tensor:
        return (images - images.mean(dim=1, keepdim=True)).std(dim=(1, 2, 3))

    def contrast(images: Tensor) -> Tensor:
        return images.mean(dim=1).std(dim=(1, 2))

    brightness = mean(out) - mean(x)
    assert brightness.abs().max() <= 0.5 + 1e-5
    assert brightness.abs().max() > 0.4
    contrasts = contrast(out) / contrast(x)
    assert 0.5 - 1e-5 <= contrasts.min() < 0.6
    assert 1.4 < contrasts.max() <= 1.5 + 1e-5
    saturations = chroma(out) / chroma(x) / contrasts
    assert 0 <= saturations.min() < 0.1
    assert 1.9 < saturations.max() <= 2 + 1e-5


def test_translation_moves_by_up_to_an_eighth_of_each_side_over_zeros() -> None:
    torch.manual_seed(0)
    height, width = 16, 40
    x = torch.zeros(300, 1, height, width)
    x[..., 8, 20] = 1
    _, _, rows, columns = translation(x).nonzero().T
    assert len(rows) == 300
    assert set((rows - 8).tolist()) == set(range(-2, 3))
    assert set((columns - 20).tolist()) == set(range(-5, 6))
    assert 0 < (translation(torch.ones(50, 1, height, width)) == 0).float().mean() < 0.25


def test_cutout_sets_a_square_of_half_the_side_to_0_anywhere() -> None:
    torch.manual_seed(0)
    x = torch.ones(300, 2, 32, 32)
    holes = cutout(x)[:, 0] == 0
    rows, columns = holes.any(dim=2).sum(dim=1), holes.any(dim=1).sum(dim=1)
    assert torch.equal(holes.sum(dim=(1, 2)), rows * columns)  # It is a rectangle.
    assert 15 <= rows.max() <= 17  # Centres between two pixels round.
    assert 15 <= columns.max() <= 17
    assert 7 <= rows.min() <= 10  # At the border, half of the square is outside.
    assert holes.any(dim=0).all()
