"""Tests of the diversity of generated images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from translate.metrics.diversity import Diversity


class Backbone(nn.Module):
    """Two scales; the deepest features are the mean of the left half and that of the right half."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> list[Tensor]:
        self.sizes.append(tuple(x.shape[1:]))
        return [x, self.scale * x.unflatten(3, (2, -1)).mean(dim=(1, 2, 4))[..., None, None]]


def halves(left: float, right: float, side: int = 64) -> Tensor:
    image = torch.full((1, 3, side, side), left, dtype=torch.float32)
    image[..., side // 2 :] = right
    return image


def test_equal_images_have_no_diversity_and_orthogonal_features_the_distance_sqrt_2() -> None:
    a, b = halves(1, 0), halves(0, 1)
    diversity = Diversity(Backbone())
    assert diversity(a.repeat(5, 1, 1, 1)) == pytest.approx(0, abs=1e-3)
    assert diversity(torch.cat([a, b])) == pytest.approx(2**0.5)
    assert diversity(torch.cat([a, -a])) == pytest.approx(2)


def test_mode_collapse_lowers_the_diversity() -> None:
    """The score is the mean over all pairs: 20 images of two kinds have 100 pairs of 190 that differ."""
    a, b = halves(1, 0), halves(0, 1)
    diversity = Diversity(Backbone())
    varied = diversity(torch.cat([a, b] * 10))
    collapsed = diversity(torch.cat([a] * 19 + [b]))
    assert varied == pytest.approx(2**0.5 * 100 / 190)
    assert collapsed == pytest.approx(2**0.5 * 19 / 190)


def test_the_contrast_of_the_images_does_not_count() -> None:
    images = torch.cat([halves(1, 0), halves(0, 1)])
    assert Diversity(Backbone())(0.1 * images) == pytest.approx(2**0.5)


@pytest.mark.parametrize(("side", "expected"), [(16, 64), (64, 64), (100, 96), (128, 128)])
def test_the_backbone_gets_gray_images_of_a_size_that_it_takes(side: int, expected: int) -> None:
    backbone = Backbone()
    Diversity(backbone)(torch.cat([halves(1, 0, side), halves(0, 1, side)]))
    assert backbone.sizes == [(1, expected, expected)]
