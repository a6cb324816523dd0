"""Tests of the colourisation network: its backbone, its decoder and the annealed mean of its classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.images.color.lab import AB_RANGE
from translate.losses.color import soft_encode
from translate.networks import Colorizer
from translate.networks.generators.colorizer import BINS, TEMPERATURE, annealed_mean
from translate.networks.generators.efficientnet import CHANNELS, EfficientNetLite, InvertedResidual

LITE0, HEAD = (
    4_652_008,
    (320 * 1280 + 2 * 1280) + (1280 * 1000 + 1000),
)  # Parameters of the published network.


@pytest.fixture(scope="module")
def backbone() -> nn.Module:
    torch.manual_seed(0)
    return EfficientNetLite().eval()


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    """Return a small network whose colours differ from pixel to pixel."""
    torch.manual_seed(0)
    network = Colorizer(width=8).eval()
    nn.init.normal_(network.classes.weight, std=30)
    return network


def images(count: int, height: int, width: int, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, height, width, generator=generator) * 2 - 1


def test_the_backbone_returns_features_at_five_scales(backbone: nn.Module) -> None:
    features = backbone(images(2, 64, 96, 3))
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [f.shape for f in features] == [(2, c, *size) for c, size in zip(CHANNELS, sizes, strict=True)]


def test_the_backbone_has_the_parameters_of_lite0_without_its_head(backbone: nn.Module) -> None:
    assert sum(weight.numel() for weight in backbone.parameters()) == LITE0 - HEAD == 2_958_848


def test_a_block_is_residual_if_its_input_and_output_have_one_shape(backbone: nn.Module) -> None:
    blocks = [block for stage in backbone.stages for block in stage]
    assert [len(stage) for stage in backbone.stages] == [1, 2, 2, 3, 3, 4, 1]
    assert sum(block.residual for block in blocks) == 9
    for residual, out_channels in ((True, 4), (False, 5)):
        block = InvertedResidual(4, out_channels, expansion=2, stride=1, kernel=3).eval()
        nn.init.zeros_(block.body[-2].weight)
        x = torch.randn(1, 4, 6, 6)
        assert torch.equal(block(x), x if residual else torch.zeros(1, 5, 6, 6))


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
def test_the_output_is_a_and_b_in_the_size_of_the_input(size: tuple[int, int], colorizer: Colorizer) -> None:
    x = images(2, *size)
    with torch.no_grad():
        scores, chroma = colorizer(x, logits=True), colorizer(x)
    assert scores.shape == (2, BINS**2, size[0] // 4, size[1] // 4)
    assert chroma.shape == (2, 2, *size)
    assert chroma.abs().max() <= 1
    assert chroma.std(dim=(0, 2, 3)).min() > 0.01


def test_a_batch_gives_the_same_colors_as_single_images(colorizer: Colorizer) -> None:
    x = images(3, 64, 32)
    with torch.no_grad():
        batch, single = colorizer(x), torch.cat([colorizer(image[None]) for image in x])
    torch.testing.assert_close(batch, single, atol=1e-4, rtol=0)
    assert (batch[0] - batch[1]).abs().max() > 0.01


def test_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = Colorizer(width=4)
    network(images(2, 64, 64)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


def test_the_annealed_mean_of_a_certain_class_is_its_color() -> None:
    logits = 100 * torch.eye(BINS**2).view(BINS**2, BINS**2, 1, 1)
    a, b = (AB_RANGE * annealed_mean(logits)[..., 0, 0]).unbind(1)
    number = torch.arange(BINS**2)
    torch.testing.assert_close(a, 10.0 * (number // BINS) - 110, atol=1e-3, rtol=0)
    torch.testing.assert_close(b, 10.0 * (number % BINS) - 110, atol=1e-3, rtol=0)


def test_the_mean_of_the_soft_encoding_is_the_color_itself() -> None:
    chroma = images(2, 5, 6, 2)
    classes, shares = soft_encode(chroma, BINS)
    probabilities = torch.zeros(2, BINS**2, 5, 6).scatter_add_(1, classes, shares)
    torch.testing.assert_close(annealed_mean(probabilities.log(), temperature=1), chroma, atol=1e-4, rtol=0)


def test_uniform_probabilities_are_gray_and_a_low_temperature_sharpens_others() -> None:
    assert annealed_mean(torch.zeros(1, BINS**2, 2, 2)).abs().max() < 1e-6
    probabilities = torch.zeros(1, BINS**2, 1, 1)
    probabilities[0, [0, -1]] = torch.tensor([[[0.4]], [[0.6]]])  # Of two opposite corners.
    sharp = 0.6 ** (1 / TEMPERATURE) / (0.4 ** (1 / TEMPERATURE) + 0.6 ** (1 / TEMPERATURE))
    for temperature, share in ((1.0, 0.6), (TEMPERATURE, sharp), (0.01, 1.0)):
        color = annealed_mean(probabilities.log(), temperature)
        torch.testing.assert_close(color, torch.full_like(color, 2 * share - 1), atol=1e-5, rtol=0)
    logits = probabilities.log()
    assert torch.equal(annealed_mean(logits), annealed_mean(logits, TEMPERATURE))
