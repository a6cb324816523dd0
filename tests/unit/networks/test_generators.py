"""Tests of the ResNet and U-Net generators: sizes, ranges, norms, dropout and skips."""

from __future__ import annotations

import pytest
import torch

from translate.config import GeneratorSpec
from translate.config.model import NORMS, UPSAMPLINGS
from translate.networks import ResNet, UNet, create_generator, initialize


def small_generator(name: str, depth: int, **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_generator(GeneratorSpec(name=name, args={"width": 4, "depth": depth, **settings}))


@pytest.mark.parametrize(
    ("name", "depth", "size"),
    [
        ("resnet", 2, (64, 64)),
        ("resnet", 2, (96, 64)),
        ("resnet", 0, (8, 20)),
        ("unet", 6, (64, 64)),
        ("unet", 6, (64, 192)),
        ("unet", 7, (128, 128)),
        ("unet", 3, (8, 40)),
        ("unet", 2, (4, 8)),
    ],
)
@pytest.mark.parametrize("upsample", UPSAMPLINGS)
def test_the_output_has_the_size_of_the_input_and_is_in_range(
    name: str, depth: int, size: tuple[int, int], upsample: str
) -> None:
    generator = small_generator(name, depth, norm="instance", upsample=upsample).eval()
    with torch.no_grad():
        out = generator(3 * torch.randn(1, 3, *size))
    assert out.shape == (1, 3, *size)
    assert out.abs().max() <= 1
    assert out.std() > 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_every_norm_and_channel_count_can_be_trained(name: str, norm: str) -> None:
    generator = small_generator(name, 3, norm=norm, in_channels=1, out_channels=2)
    out = generator(torch.randn(1, 1, 16, 16))
    assert out.shape == (1, 2, 16, 16)
    out.square().sum().backward()
    assert all(weight.grad is not None for weight in generator.parameters())


@pytest.mark.parametrize("size", [(8, 8), (36, 20), (64, 96)])
def test_an_antialiased_resnet_takes_every_multiple_of_4_and_can_be_trained(size: tuple[int, int]) -> None:
    generator = small_generator("resnet", 1, downsample="blur", upsample="blur")
    out = generator(torch.randn(1, 3, *size))
    assert out.shape == (1, 3, *size)
    out.square().sum().backward()
    assert all(weight.grad is not None for weight in generator.parameters())
    assert generator.memory_per_pixel(4).forward > ResNet(width=4).memory_per_pixel(4).forward


def test_without_norm_the_output_depends_on_the_scale_of_the_input() -> None:
    generator = small_generator("resnet", 1, norm="none").eval()
    x = torch.randn(1, 3, 16, 16)
    assert not torch.allclose(generator(x), generator(3 * x), atol=1e-3)
    assert [name for name in generator.state_dict() if "running" in name] == []


@pytest.mark.parametrize(("name", "depth"), [("resnet", 2), ("unet", 6)])
def test_dropout_is_active_in_training_only(name: str, depth: int) -> None:
    generator = small_generator(name, depth, norm="instance", dropout=True)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.equal(generator(x), generator(x))
        generator.eval()
        assert torch.equal(generator(x), generator(x))


@pytest.mark.parametrize(("name", "depth"), [("resnet", 2), ("unet", 6)])
def test_without_dropout_a_training_forward_is_deterministic(name: str, depth: int) -> None:
    generator = small_generator(name, depth, norm="instance", dropout=False)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(generator(x), generator(x))


@pytest.mark.parametrize(("depth", "layers"), [(5, 0), (6, 1), (7, 2), (8, 3)])
def test_a_unet_has_dropout_between_the_innermost_and_the_four_outermost_levels(
    depth: int, layers: int
) -> None:
    with torch.device("meta"):
        unet = UNet(width=4, depth=depth, dropout=True)
    assert sum(isinstance(m, torch.nn.Dropout) and m.p == 0.5 for m in unet.modules()) == layers


@pytest.mark.parametrize("size", [(64, 96), (68, 60)])
def test_a_resnet_is_translation_equivariant_away_from_the_border(size: tuple[int, int]) -> None:
    """A shift of the image by the network's stride shifts the output."""
    torch.manual_seed(0)
    generator = initialize(ResNet(width=4, depth=1, norm="none"), gain=0.1).eval()
    wide = torch.randn(1, 3, size[0] + 4, size[1] + 4)
    with torch.no_grad():
        original, shifted = generator(wide), generator(wide[..., 4:, 4:])
    torch.testing.assert_close(original[..., 28:-24, 28:-24], shifted[..., 24:-24, 24:-24])


def test_every_skip_of_a_unet_reaches_the_output() -> None:
    unet = small_generator("unet", 4, norm="instance", dropout=False)
    unet(torch.randn(1, 3, 32, 32)).sum().backward()
    assert all(conv.weight.grad.abs().sum() > 0 for conv in [unet.first, *unet.down])
