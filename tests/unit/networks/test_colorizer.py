"""The colorizer: what its backbone sees, and colour as a choice among classes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.images.color.lab import CHROMATIC
from translate.losses.color import soft_classes
from translate.networks import Colorizer
from translate.networks.generators.colorizer import SIDE, TEMPERATURE, annealed_mean
from translate.networks.generators.efficientnet import CHANNELS, EfficientNetLite, InvertedResidual

LITE0, HEAD = 4_652_008, (320 * 1280 + 2 * 1280) + (1280 * 1000 + 1000)  # of the published network


@pytest.fixture(scope="module")
def backbone() -> nn.Module:
    torch.manual_seed(0)
    return EfficientNetLite().eval()


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    """A small one whose choices differ from pixel to pixel."""
    torch.manual_seed(0)
    network = Colorizer(width=8).eval()
    nn.init.normal_(network.classes.weight, std=30)
    return network


def images(count: int, height: int, width: int, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, channels, height, width, generator=generator) * 2 - 1


def test_the_backbone_gives_features_at_five_sizes(backbone: nn.Module) -> None:
    features = backbone(images(2, 64, 96, 3))
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [f.shape for f in features] == [(2, c, *size) for c, size in zip(CHANNELS, sizes, strict=True)]


def test_the_backbone_has_the_weights_of_lite0_but_for_its_head(backbone: nn.Module) -> None:
    assert sum(weight.numel() for weight in backbone.parameters()) == LITE0 - HEAD == 2_958_848


def test_a_block_of_equal_shapes_adds_to_its_input(backbone: nn.Module) -> None:
    blocks = [block for stage in backbone.stages for block in stage]
    assert [len(stage) for stage in backbone.stages] == [1, 2, 2, 3, 3, 4, 1]
    assert sum(block.residual for block in blocks) == 9
    for residual, after in ((True, 4), (False, 5)):
        block = InvertedResidual(4, after, expansion=2, stride=1, kernel=3).eval()
        nn.init.zeros_(block.body[-2].weight)
        x = torch.randn(1, 4, 6, 6)
        assert torch.equal(block(x), x if residual else torch.zeros(1, 5, 6, 6))


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
def test_an_image_gets_a_and_b_of_its_own_size(size: tuple[int, int], colorizer: Colorizer) -> None:
    x = images(2, *size)
    with torch.no_grad():
        scores, chroma = colorizer(x, logits=True), colorizer(x)
    assert scores.shape == (2, SIDE**2, size[0] // 4, size[1] // 4)
    assert chroma.shape == (2, 2, *size)
    assert chroma.abs().max() <= 1
    assert chroma.std(dim=(0, 2, 3)).min() > 0.01


def test_images_together_are_coloured_as_alone(colorizer: Colorizer) -> None:
    x = images(3, 64, 32)
    with torch.no_grad():
        together, alone = colorizer(x), torch.cat([colorizer(one[None]) for one in x])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    network = Colorizer(width=4)
    network(images(2, 64, 64)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


def test_a_certain_choice_is_the_colour_of_its_class() -> None:
    scores = 100 * torch.eye(SIDE**2).view(SIDE**2, SIDE**2, 1, 1)
    a, b = (CHROMATIC * annealed_mean(scores)[..., 0, 0]).unbind(1)
    number = torch.arange(SIDE**2)
    torch.testing.assert_close(a, 10.0 * (number // SIDE) - 110, atol=1e-3, rtol=0)
    torch.testing.assert_close(b, 10.0 * (number % SIDE) - 110, atol=1e-3, rtol=0)


def test_classes_and_colours_are_one_another_s_inverse() -> None:
    chroma = images(2, 5, 6, 2)
    classes, shares = soft_classes(chroma, SIDE)
    choice = torch.zeros(2, SIDE**2, 5, 6).scatter_add_(1, classes, shares)
    torch.testing.assert_close(annealed_mean(choice.log(), temperature=1), chroma, atol=1e-4, rtol=0)


def test_no_choice_is_gray_and_a_low_temperature_sharpens_one() -> None:
    assert annealed_mean(torch.zeros(1, SIDE**2, 2, 2)).abs().max() < 1e-6
    shares = torch.zeros(1, SIDE**2, 1, 1)
    shares[0, [0, -1]] = torch.tensor([[[0.4]], [[0.6]]])  # of the two opposite corners
    sharp = 0.6 ** (1 / TEMPERATURE) / (0.4 ** (1 / TEMPERATURE) + 0.6 ** (1 / TEMPERATURE))
    for temperature, share in ((1.0, 0.6), (TEMPERATURE, sharp), (0.01, 1.0)):
        colour = annealed_mean(shares.log(), temperature)
        torch.testing.assert_close(colour, torch.full_like(colour, 2 * share - 1), atol=1e-5, rtol=0)
    assert torch.equal(annealed_mean(shares.log()), annealed_mean(shares.log(), TEMPERATURE))
