"""BigGAN's networks: their published sizes, their inputs, self-attention and spectral normalization."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from translate.networks import BigGANDiscriminator, BigGANGenerator
from translate.networks.blocks import BatchNorm
from translate.networks.initialization import initialize_orthogonally
from translate.networks.self_attention import SelfAttention
from translate.networks.spectral_norm import SpectralConv2d, SpectralLayer, step_power_iterations


@pytest.mark.parametrize(
    ("depth", "latent", "attention", "g_weights", "d_weights"),
    [
        (3, 120, 16, 9_650_436, 10_574_213),
        (4, 120, 32, 70_377_348, 45_511_970),
        (5, 120, 64, 70_433_988, 87_982_370),
        (6, 119, 64, 82_108_548, 99_225_890),
    ],
)
def test_the_numbers_of_weights_are_those_of_the_authors_code(
    depth: int, latent: int, attention: int, g_weights: int, d_weights: int
) -> None:
    """For ImageNet's 1000 classes, of 32, 64, 128 and 256 px, with ch 96."""
    size = {"classes": 1000, "width": 96, "depth": depth, "attention": attention}
    with torch.device("meta"):
        networks = BigGANGenerator(latent + 1000, **size), BigGANDiscriminator(**size)
    counts = [sum(weight.numel() for weight in network.parameters()) for network in networks]
    assert counts == [g_weights, d_weights]


@pytest.mark.parametrize("hierarchical", [True, False])
@pytest.mark.parametrize("depth", [3, 4, 6])
def test_the_generator_maps_noise_to_images_and_the_discriminator_images_to_scores(
    depth: int, hierarchical: bool
) -> None:
    side = 4 * 2**depth
    g = BigGANGenerator(23 + 3, 1, classes=3, width=1, depth=depth, hierarchical=hierarchical, attention=16)
    d = BigGANDiscriminator(1, classes=3, width=1, depth=depth, attention=16)
    with torch.no_grad():
        image = g(torch.cat([torch.randn(2, 23), torch.eye(3)[:2]], dim=1))
        assert image.shape == (2, 1, side, side)
        assert image.abs().max() <= 1
        assert d(image, torch.tensor([0, 2])).shape == (2, 1)


def test_each_part_of_hierarchical_noise_enters_one_layer_and_the_class_all_blocks() -> None:
    torch.manual_seed(0)
    g = initialize_orthogonally(BigGANGenerator(12 + 2, classes=2, width=2, depth=3)).eval()
    changed_blocks = []
    calls: list[list[torch.Tensor]] = [[]]
    g.first.register_forward_hook(lambda module, args, output: calls[-1].append(output))
    for block in g.blocks:
        block.register_forward_hook(lambda module, args, output: calls[-1].append(args[1]))
    inputs = torch.cat([torch.randn(1, 12), torch.eye(2)[:1]], dim=1)
    with torch.no_grad():
        g(inputs)
        for index in (0, 3, 6, 9, 12):
            calls.append([])
            other = inputs.clone()
            other[0, index] += 1
            g(other)
            pairs = zip(calls[0], calls[-1], strict=True)
            changed_blocks.append([number for number, (a, b) in enumerate(pairs) if not a.equal(b)])
    assert changed_blocks == [[0], [1], [2], [3], [1, 2, 3]]


def test_self_attention_starts_as_the_identity_and_then_sees_the_whole_map() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(8), torch.randn(1, 8, 6, 4)
    step_power_iterations([m for m in layer.modules() if isinstance(m, SpectralLayer)])
    assert layer(x).equal(x)
    nn.init.ones_(layer.gamma)
    far = x.clone()
    far[..., 5, 3] += 3
    assert ((layer(x) - layer(far))[..., 0, 0].abs() > 1e-6).all()


def test_spectral_norm_approaches_the_largest_singular_value_in_training_only() -> None:
    torch.manual_seed(0)
    layer, x = SpectralConv2d(3, 5, 3), torch.randn(1, 3, 4, 4)
    for _ in range(50):
        step_power_iterations([layer])
    expected = layer.weight / torch.linalg.svdvals(layer.weight.flatten(1))[0]
    torch.testing.assert_close(layer.normalized_weight(), expected)
    before = layer.u.clone()
    step_power_iterations([layer.eval()])
    layer(x)
    assert layer.u.equal(before)


def test_batch_norm_without_weights_can_be_synchronized(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a group of one process it is plain batch norm."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda x: None)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 1)
    plain, synchronized = BatchNorm(3, affine=False), BatchNorm(3, affine=False)
    synchronized.synchronized = True
    x = torch.randn(4, 3, 5, 5) + 2
    torch.testing.assert_close(synchronized(x), plain(x))
    torch.testing.assert_close(synchronized.running_mean, plain.running_mean)
    torch.testing.assert_close(synchronized.running_var, plain.running_var)
