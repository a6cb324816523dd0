"""The projection head: which patches it embeds, and its gradients in every memory format and precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.networks import PatchProjection, draw_positions
from translate.networks.blocks import make_norm

CHANNELS = [3, 8]


def features(count: int = 1) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    sizes = [(12, 10), (6, 5)]
    return [torch.randn(count, c, *size, generator=random) for c, size in zip(CHANNELS, sizes, strict=True)]


def test_embeddings_are_of_the_positions_in_their_order() -> None:
    torch.manual_seed(0)
    head, maps = PatchProjection(CHANNELS, width=4), features(2)
    positions = [torch.tensor([0, 25, 119]), torch.tensor([7, 29])]
    for layer, at, mlp, output in zip(maps, positions, head.mlps, head(maps, positions), strict=True):
        width = layer.shape[3]
        for number, position in enumerate(at.tolist()):
            expected = mlp(layer[:, :, position // width, position % width])
            torch.testing.assert_close(output[:, number], expected / expected.norm(dim=1, keepdim=True))


def test_positions_are_distinct_random_and_all_of_a_small_map() -> None:
    torch.manual_seed(0)
    first, second = (draw_positions(features(), 64) for _ in range(2))
    assert [len(at) for at in first] == [64, 30]
    assert sorted(first[1].tolist()) == list(range(30))
    assert len(set(first[0].tolist())) == 64
    assert {min(map(int, at)) >= 0 and max(map(int, at)) < 120 for at in (first[0], second[0])} == {True}
    assert set(first[0].tolist()) != set(second[0].tolist())


def test_every_position_is_drawn_equally_often() -> None:
    torch.manual_seed(0)
    counts = torch.zeros(30)
    for _ in range(600):
        counts[draw_positions([torch.zeros(1, 1, 5, 6)], 10)[0]] += 1
    assert (counts - 200).abs().max() < 50  # The standard deviation is 11.5.


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_vector_of_zeros_has_a_finite_gradient(dtype: torch.dtype) -> None:
    head = PatchProjection([3], width=4).to(dtype)
    for mlp in head.mlps:
        nn.init.zeros_(mlp[2].bias)
        nn.init.zeros_(mlp[0].bias)
    image = torch.zeros(1, 3, 4, 4, dtype=dtype, requires_grad=True)
    (output,) = head([image], [torch.arange(16)])
    output.sum().backward()
    assert not output.any()
    assert all(x.grad.isfinite().all() for x in [image, *head.parameters()])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_through_an_instance_norm_at_batch_1_is_right(
    memory_format: torch.memory_format,
) -> None:
    """`F.instance_norm` on the CPU takes a gradient of another layout for garbage (torch 2.14)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), make_norm("instance", 6), nn.Conv2d(6, 8, 3)).double()
    network = network.to(memory_format=memory_format)
    head = PatchProjection([6], width=5).double()
    x = torch.randn(1, 3, 9, 9, dtype=torch.float64).contiguous(memory_format=memory_format)
    positions, direction = [torch.tensor([3, 40, 21])], torch.randn(1, 3, 5, dtype=torch.float64)

    def value() -> Tensor:
        (output,) = head([network[:2](x)], positions)
        return (output * direction).sum()

    value().backward()
    weight, step = network[0].weight, 1e-6
    for index in ((0, 0, 1, 1), (5, 2, 0, 2)):
        with torch.no_grad():
            weight[index] += step
            above = value()
            weight[index] -= 2 * step
            below = value()
            weight[index] += step
        assert weight.grad[index].item() == pytest.approx(float(above - below) / (2 * step), rel=1e-6)


def test_mixed_precision_returns_unit_vectors_in_float32() -> None:
    torch.manual_seed(0)
    head, maps = PatchProjection(CHANNELS, width=16), features()
    positions = draw_positions(maps, 20)
    for mlp in head.mlps:  # At the published gain, rows are of this length before they are scaled.
        nn.init.normal_(mlp[2].weight, std=1e-6)
        nn.init.zeros_(mlp[2].bias)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(maps, positions)
    for output, exact in zip(outputs, head(maps, positions), strict=True):
        assert output.dtype == torch.float32
        assert (output - exact).abs().max() < 0.02
