"""Tests of the inpainting networks, of the smooth fill of the hole and of the residual added to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from translate.networks import ContextEncoder, ContextualAttentionInpainter, Inpainter, initialize
from translate.networks.generators.inpainter import FourierConvolution, ResidualBlock, fill_smoothly

SIDES = st.integers(1, 40)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "inpainter": lambda: Inpainter(width=4),
    "context": lambda: ContextEncoder(width=4, depth=5),
    "attention": lambda: initialize(ContextualAttentionInpainter(width=4), "xavier", 1.0),
}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def random_hole(height: int, width: int, seed: int = 0, share: float = 0.5) -> Tensor:
    """Return (1, 1, H, W), 1 in about that share of the pixels, but not in all."""
    hole = (noise(1, 1, height, width, seed=seed + 1) < 2 * share - 1).float()
    hole[0, 0, seed % height, seed % width] = 0
    return hole


def image_with_mask(height: int, width: int, count: int = 1) -> Tensor:
    """Return (N, 4, H, W): noise, and a mask with a rectangular hole."""
    mask = torch.full((count, 1, height, width), -1.0)
    mask[..., height // 4 : height // 2, width // 4 : -width // 4] = 1
    return torch.cat([noise(count, 3, height, width), mask], dim=1)


def small_network(name: str) -> nn.Module:
    """Return a small network with no weight at 0, as after some training."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


# The smooth fill


@given(height=SIDES, width=SIDES, seed=st.integers(0, 99), share=st.sampled_from([0.01, 0.5, 0.99]))
@settings(max_examples=40)
def test_the_fill_equals_the_image_outside_the_hole_and_stays_in_its_range_inside(
    height: int, width: int, seed: int, share: float
) -> None:
    image, hole = noise(2, 3, height, width, seed=seed), random_hole(height, width, seed, share)
    guess = fill_smoothly(image, hole.expand(2, -1, -1, -1))
    known = (hole == 0).expand_as(guess)
    assert torch.equal(guess[known], image[known])
    for channel, original in zip(guess.flatten(0, 1), image.flatten(0, 1), strict=True):
        outside = original[hole[0, 0] == 0]
        assert outside.min() - 1e-5 <= channel.min() <= channel.max() <= outside.max() + 1e-5


@given(height=SIDES, width=SIDES, seed=st.integers(0, 99), level=st.floats(-1, 1, width=32))
@settings(max_examples=40)
def test_an_image_of_one_color_is_filled_with_it(height: int, width: int, seed: int, level: float) -> None:
    image = torch.full((1, 3, height, width), level)
    guess = fill_smoothly(image, random_hole(height, width, seed, 0.9))
    assert (guess - image).abs().max() < 1e-5


def test_the_fill_is_0_where_the_hole_covers_the_image() -> None:
    hole = torch.ones(2, 1, 20, 30)
    hole[1] = random_hole(20, 30)
    guess = fill_smoothly(noise(2, 3, 20, 30) + 5, hole)
    assert not guess[0].any()
    assert guess[1].min() > 3


def test_the_fill_ignores_image_values_in_the_hole() -> None:
    hole = random_hole(37, 50)
    a, b = (noise(1, 3, 37, 50, seed=1) * (1 - hole) + value * hole for value in (-1, 1e6))
    assert torch.equal(fill_smoothly(a, hole), fill_smoothly(b, hole))


@pytest.mark.parametrize("width", [64, 57, 65, 96, 160])
def test_a_gradient_is_continued_through_the_hole(width: int) -> None:
    ramp = torch.linspace(-1, 1, width).expand(1, 1, width, width)
    hole = torch.zeros(1, 1, width, width)
    inside = slice(width // 4, width - width // 4)
    hole[..., inside, inside] = 1
    guess = fill_smoothly(ramp * (1 - hole), hole)
    assert (guess - ramp).abs().max() < 0.1


def test_each_side_of_a_hole_is_filled_from_the_nearer_border() -> None:
    image, hole = torch.ones(1, 1, 32, 64), torch.zeros(1, 1, 32, 64)
    image[..., :32] = -1
    hole[..., 16:48] = 1
    guess = fill_smoothly(image, hole)[0, 0, 16]
    assert guess[16:20].max() < -0.4
    assert guess[44:48].min() > 0.4


# The networks


def test_an_untrained_inpainter_returns_the_smooth_fill() -> None:
    torch.manual_seed(0)
    x = image_with_mask(64, 64)
    with torch.no_grad():
        out = Inpainter(width=4)(x)
    assert torch.equal(out, fill_smoothly(x[:, :3], (x[:, 3:] > 0).float()))


@pytest.mark.parametrize("layer", [ResidualBlock, FourierConvolution])
def test_a_residual_layer_is_initialized_to_the_identity(layer: type[nn.Module]) -> None:
    torch.manual_seed(0)
    x = noise(1, 8, 12, 16)
    assert torch.equal(layer(8)(x), x)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 32)])
def test_the_sides_may_be_any_multiples_of_32(size: tuple[int, int], name: str) -> None:
    network = small_network(name).eval()
    assert network.size_multiple == (8 if name == "attention" else 32)
    with torch.no_grad():
        out = network(image_with_mask(*size, count=2))
    assert out.shape == (2, 3, *size)
    assert out.std(dim=(0, 2, 3)).min() > 0.01
    assert name == "inpainter" or out.abs().max() <= 1


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_ignores_image_values_in_the_hole(name: str) -> None:
    network, x = small_network(name).eval(), image_with_mask(64, 64)
    hole = x[:, 3:] > 0
    with torch.no_grad():
        output = network(x)
        for value in (-1.0, 0.0, 1000.0):
            other = torch.cat([x[:, :3].masked_fill(hole, value), x[:, 3:]], dim=1)
            assert torch.equal(network(other), output)
        other = torch.cat([x[:, :3].masked_fill(~hole, 0.5), x[:, 3:]], dim=1)
        assert not torch.equal(network(other), output)  # The known pixels count.


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_gets_a_gradient(name: str) -> None:
    network = small_network(name)
    network(image_with_mask(64, 64, count=2)).square().sum().backward()
    gradients = {key: weight.grad for key, weight in network.named_parameters()}
    assert [key for key, grad in gradients.items() if grad is None or not grad.abs().max() > 0] == []
    assert name != "inpainter" or any(key.startswith("waves.") for key in gradients)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_gives_the_same_images_as_single_ones(name: str) -> None:
    network, x = small_network(name).eval(), image_with_mask(64, 32, count=3)
    with torch.no_grad():
        batch, single = network(x), torch.cat([network(image[None]) for image in x])
    torch.testing.assert_close(batch, single, atol=1e-4, rtol=0)


def test_the_receptive_field_of_a_fourier_convolution_is_the_whole_image() -> None:
    torch.manual_seed(0)
    layer = FourierConvolution(4)
    nn.init.normal_(layer.leave.weight)
    x = noise(1, 4, 16, 24)
    changed = x.clone()
    changed[..., 0, 0] += 1
    change = (layer(x) - layer(changed)).abs().amax(dim=(0, 1))
    assert change.shape == (16, 24)
    assert (change > 1e-7).float().mean() > 0.95


def test_mixed_precision_is_close_to_float32() -> None:
    network, x = small_network("inpainter").eval(), image_with_mask(64, 64)
    with torch.no_grad():
        full = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(x)
    assert (full - half).abs().mean() < 0.02


# The context encoder


@pytest.mark.parametrize("depth", [2, 5, 7])
def test_the_bottleneck_of_a_context_encoder_is_one_pixel(depth: int) -> None:
    torch.manual_seed(0)
    network = ContextEncoder(width=2, depth=depth).eval()
    assert network.size_multiple == 2**depth
    x = image_with_mask(2**depth, 2**depth)
    with torch.no_grad():
        assert network.encoder(x).shape == (1, 64, 1, 1)
        assert network(x).shape == (1, 3, 2**depth, 2**depth)
