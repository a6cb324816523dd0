"""The registration network, the warp by its displacement field, known warps, and their losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from translate.networks.registration import (
    COARSE,
    FINE,
    Registration,
    average,
    draw_field,
    endpoint_error,
    smoothness,
    unwarp,
    warp,
)


@pytest.mark.parametrize("size", [(32, 32), (8, 20), (30, 45)])
def test_the_displacements_of_any_image_start_at_zero(size: tuple[int, int]) -> None:
    image, target = torch.rand(2, 2, 3, *size) * 2 - 1
    field = Registration(3, image_size=32, width=4)(image, target)
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


def test_a_warp_is_undone_inside_the_image() -> None:
    torch.manual_seed(0)
    image = F.interpolate(torch.rand(2, 3, 8, 8) * 2 - 1, (48, 64), mode="bicubic").clamp(-1, 1)
    field = draw_field(image)
    unwarped, inside = unwarp(warp(image, field, mode="bicubic"), field)
    assert 0.6 < inside.mean() < 1
    assert ((unwarped - image) * inside).abs().mean() < 0.01
    assert ((warp(image, field) - image) * inside).abs().mean() > 0.1


def test_displacements_are_not_rounded_to_16_bits_in_mixed_precision() -> None:
    network = Registration(1, image_size=16, width=4)
    torch.nn.init.constant_(network.displacements[0].bias, 10.01)
    image = torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        field = network(image, image)
        assert warp(image.bfloat16(), field).dtype == torch.float32
    torch.testing.assert_close(field, torch.full((1, 2, 16, 16), 20.02), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("image_size", "levels"), [(32, 2), (64, 3), (256, 5), (512, 6)])
def test_the_coarsest_features_have_8_cells_a_side(image_size: int, levels: int) -> None:
    assert len(Registration(3, image_size=image_size).encoders) == levels


def test_a_gray_image_is_registered_to_one_in_colour_as_if_it_had_three_channels() -> None:
    torch.manual_seed(0)
    network = Registration(3, image_size=32, width=4)
    for displacement in network.displacements:
        torch.nn.init.normal_(displacement.weight)
    gray, color = torch.rand(1, 1, 32, 32), torch.rand(1, 3, 32, 32)
    field = network(gray, color)
    assert field.any()
    assert field.equal(network(gray.expand(-1, 3, -1, -1), color))


def test_known_displacements_are_a_tenth_of_the_shorter_side_at_most_and_smooth() -> None:
    torch.manual_seed(0)
    fields = draw_field(torch.zeros(200, 3, 40, 60))
    assert fields.shape == (200, 2, 40, 60)
    # A bicubic interpolation overshoots a little.
    assert 3.2 < fields.abs().max() < 4.4
    assert fields.mean(dim=(0, 2, 3)).abs().max() < 0.4
    assert fields.std(dim=(2, 3)).min() > 0.01
    assert fields.diff(dim=3).abs().max() < 0.3


def test_a_shift_is_smooth_and_a_stretch_is_not() -> None:
    shift = torch.full((1, 2, 6, 6), 7.0)
    assert smoothness(shift) == 0
    stretch = torch.arange(6.0).expand(1, 2, 6, 6) * 0.5
    assert smoothness(stretch) == pytest.approx(0.25)


@pytest.mark.parametrize("size", [(32, 32), (3, 20), (30, 45)])
def test_averaged_displacements_keep_a_shift_and_lose_what_is_local(size: tuple[int, int]) -> None:
    image = torch.zeros(1, 3, *size)  # It is like itself everywhere.
    field = torch.full((1, 2, *size), 3.0)
    torch.testing.assert_close(average(field, image, image), field)
    field[:, :, 1, 9] += 8
    coarse, fine = (average(field, image, image, deviation=share) for share in (COARSE, FINE))
    assert 3 < coarse.max() < fine.max() < 11


def test_averaged_displacements_are_those_of_the_places_where_the_warped_image_is_like_its_target() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    field = torch.zeros(1, 2, 32, 32)
    field[:, 0] = 2
    target = warp(image, field)
    target[..., 12:20, 12:20] *= -1
    field[..., 12:20, 12:20] += 5
    averaged = average(field, image, target)
    assert (averaged[:, 0] - 2).abs().max() < 0.3
    assert average(field, image, image)[0, 0, 16, 16] > 3, "without a place that is alike, all count"
    gray = average(field, image.mean(dim=1, keepdim=True), target)
    assert gray.shape == field.shape


def test_the_endpoint_error_is_the_mean_distance_and_has_a_gradient_at_0() -> None:
    field = torch.tensor([3.0, 4.0])[None, :, None, None].expand(1, 2, 6, 6)
    assert endpoint_error(field, torch.zeros(1, 2, 6, 6)) == pytest.approx(5)
    start = torch.zeros(1, 2, 6, 6, requires_grad=True)
    endpoint_error(start, torch.zeros(1, 2, 6, 6)).backward()
    assert start.grad is not None
    assert not start.grad.any()
