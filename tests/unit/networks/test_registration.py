"""The registration network, the warp by its displacement field, and the smoothness loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from translate.networks.registration import Centering, Registration, smoothness, warp


@pytest.mark.parametrize("size", [(32, 32), (8, 20), (30, 45)])
def test_the_displacements_of_any_image_start_at_zero(size: tuple[int, int]) -> None:
    image, target = torch.rand(2, 2, 3, *size) * 2 - 1
    field = Registration(3, width=4)(image, target)
    assert field.shape == (2, 2, *size)
    assert not field.any()
    torch.testing.assert_close(warp(image, field), image)


def test_a_warp_takes_each_pixel_from_where_the_field_points() -> None:
    image = torch.rand(1, 3, 8, 10)
    field = torch.zeros(1, 2, 8, 10)
    field[:, 0], field[:, 1] = 3, -1
    warped = warp(image, field)
    torch.testing.assert_close(warped[..., 1:, :-3], image[..., :-1, 3:])
    # Beyond the border there are the pixels of the border.
    torch.testing.assert_close(warped[..., 0, 7:], image[..., 0, -1:].expand(-1, -1, 3))
    field[:, 0], field[:, 1] = 0.5, 0
    torch.testing.assert_close(warp(image, field)[..., :-1], (image[..., :-1] + image[..., 1:]) / 2)


def test_displacements_are_not_rounded_to_16_bits_in_mixed_precision() -> None:
    network = Registration(1, width=4)
    torch.nn.init.constant_(network.displacement[0].bias, 1.001)
    image = torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        field = network(image, image)
        assert warp(image.bfloat16(), field).dtype == torch.float32
    torch.testing.assert_close(field, torch.full((1, 2, 16, 16), 10.01), rtol=1e-5, atol=0)


def test_a_shift_is_smooth_and_a_stretch_is_not() -> None:
    shift = torch.full((1, 2, 6, 6), 7.0)
    assert smoothness(shift) == 0
    stretch = torch.arange(6.0).expand(1, 2, 6, 6) * 0.5
    assert smoothness(stretch) == pytest.approx(0.25)


def test_the_network_learns_the_shift_of_each_pair() -> None:
    torch.manual_seed(0)
    network = Registration(1, width=8)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    image = F.interpolate(torch.rand(8, 1, 6, 6), (32, 32), mode="bicubic")
    shift = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]).repeat(2, 1)
    target = warp(image, shift[:, :, None, None].expand(-1, -1, 32, 32))
    for _ in range(120):
        field = network(image, target)
        (100 * F.l1_loss(warp(image, field), target) + smoothness(field)).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (field.mean(dim=(2, 3)) - shift).norm(dim=1).mean() < 1


def test_centering_pushes_displacements_against_their_mean_over_many_batches() -> None:
    center = Centering()
    left, right = torch.full((1, 2, 8, 8), -3.0), torch.full((1, 2, 8, 8), 5.0)
    for _ in range(200):
        center(left)
        center(right)
    torch.testing.assert_close(center.mean, torch.ones(2, 4, 4), rtol=0.1, atol=0)
    (gradient,) = torch.autograd.grad(center(left.requires_grad_()), left)
    assert (gradient > 0).all(), "a descent moves all fields to the left, where their mean is 0"
