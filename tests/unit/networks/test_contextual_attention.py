"""Contextual attention takes known patches that resemble the surroundings, from the image itself only."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translate.networks import ContextualAttentionInpainter
from translate.networks.contextual_attention import contextual_attention
from translate.networks.generators import attention


def box(height: int, width: int, rows: slice, columns: slice) -> Tensor:
    """Return a mask, (1, 1, H, W), 1 in the box and 0 elsewhere."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., rows, columns] = 1
    return mask


def test_a_hole_is_filled_with_the_copy_of_what_it_hides() -> None:
    texture = torch.randn(1, 16, 24, 24, generator=torch.Generator().manual_seed(0))
    features = torch.cat([texture, texture], dim=3)
    hole = box(24, 48, slice(8, 16), slice(8, 16))
    for fuse in (False, True):
        filled, _ = contextual_attention(features, features, hole, fuse=fuse)
        error = (filled - features).abs()[..., 8:16, 8:16]
        assert error.max() < 1e-4
    other = torch.cat([texture, texture.flip(3)], dim=3)
    filled, _ = contextual_attention(other, other, hole)
    assert (filled - other).abs()[..., 8:16, 8:16].mean() > 0.5


def test_patches_that_touch_the_hole_have_no_weight_and_keep_their_share_of_the_softmax() -> None:
    x = 0.001 * torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    _, weights = contextual_attention(x, x, box(16, 16, slice(0, 6), slice(0, 6)))
    by_place = weights[0].sum(dim=(1, 2)).view(8, 8)
    # The downscaled hole is 3 x 3, and the patches around its places reach one place farther.
    assert not by_place[:4, :4].any()
    assert (by_place[4:] > 0).all()
    assert (by_place[:, 4:] > 0).all()
    totals = weights.sum(dim=1)
    assert totals.mean().item() == pytest.approx(48 / 64, abs=0.02)  # The scores are nearly equal.


def test_each_image_of_a_batch_has_its_own_mask_and_features() -> None:
    x = torch.randn(3, 8, 16, 24, generator=torch.Generator().manual_seed(0))
    masks = torch.cat(
        [
            box(16, 24, slice(4, 10), slice(2, 8)),
            box(16, 24, slice(0, 0), slice(0, 0)),
            torch.ones(1, 1, 16, 24),
        ]
    )
    batch, weights = contextual_attention(x, x.flip(1), masks)
    for n in range(3):
        single, single_weights = contextual_attention(x[n, None], x[n, None].flip(1), masks[n, None])
        torch.testing.assert_close(batch[n, None], single)
        torch.testing.assert_close(weights[n, None], single_weights)
    assert not batch[2].any()  # There is nothing to take patches from.


def test_it_is_computed_in_float32_in_mixed_precision() -> None:
    x = 3 * torch.randn(1, 64, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    mask = box(16, 16, slice(4, 10), slice(4, 10))
    expected, _ = contextual_attention(x.float(), x.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = contextual_attention(x, x, mask.bfloat16())
    assert torch.equal(found, expected)


def test_all_channels_and_sides_are_as_given() -> None:
    f, b = torch.randn(2, 5, 12, 8), torch.randn(2, 5, 6, 18)
    output, weights = contextual_attention(f, b, torch.zeros(2, 1, 6, 18))
    assert output.shape == f.shape
    assert weights.shape == (2, 3 * 9, 6, 4)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 6, 4))


def test_a_place_with_any_pixel_in_a_hole_is_not_copied_from(monkeypatch: pytest.MonkeyPatch) -> None:
    masks: list[Tensor] = []

    def record(f: Tensor, b: Tensor, mask: Tensor, *, rate: int) -> tuple[Tensor, Tensor]:
        masks.append(mask)
        return contextual_attention(f, b, mask, rate=rate)

    monkeypatch.setattr(attention, "contextual_attention", record)
    x = torch.zeros(1, 4, 32, 32)
    x[:, 3] = -1
    x[:, 3, :, 13] = 1  # A scratch of one pixel.
    with torch.no_grad():
        ContextualAttentionInpainter(width=1)(x)
    assert masks[0].shape == (1, 1, 8, 8)
    assert masks[0][..., ::2, ::2][0, 0].tolist() == 4 * [[0, 1, 0, 0]]


@pytest.mark.parametrize("size", [(8, 8), (24, 40)])
def test_the_sides_may_be_any_multiples_of_8_and_the_coarse_image_is_another(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = ContextualAttentionInpainter(width=4)
    x = torch.cat([torch.rand(2, 3, *size) * 2 - 1, torch.full((2, 1, *size), -1.0)], dim=1)
    x[:, 3, : size[0] // 2, : size[1] // 2] = 1
    with torch.no_grad():
        refined, coarse = network(x, coarse=True)
        assert torch.equal(network(x), refined)
    assert refined.shape == coarse.shape == (2, 3, *size)
    assert not torch.allclose(refined, coarse, atol=1e-3)
