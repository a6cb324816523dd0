"""Tests of the generators from noise, of their discriminators and of DiffAugment."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translate.config import GeneratorSpec
from translate.networks import DISCRIMINATORS, GENERATORS
from translate.networks.augmentation import DiffAugment, color_jitter, cutout, translation
from translate.networks.discriminators.heads import CodeHead, ProjectionHead
from translate.networks.initialization import create_untrained_generator


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
