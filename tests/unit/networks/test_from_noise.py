"""The networks between noise and images."""

from __future__ import annotations

import pytest
import torch

from translate.networks import DISCRIMINATORS, GENERATORS
from translate.networks.augmentation import DiffAugment


@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_noise_becomes_an_image_and_the_image_a_score(name: str, depth: int) -> None:
    side = 4 * 2**depth
    image = GENERATORS[name](7, 3, width=2, depth=depth)(torch.randn(2, 7))
    assert image.shape == (2, 3, side, side)
    assert image.abs().max() <= 1
    network = DISCRIMINATORS[name](3, width=2, depth=depth)
    assert network(image).shape == (2, 1, 1, 1)
    assert network(image, features=True)[1].shape[1:] == network.shape


def test_the_papers_sizes() -> None:
    """The generator of figure 1 at half its width, as the authors' code has it."""
    network = GENERATORS["dcgan"](100, 3, width=64, depth=4)
    shapes = [tuple(weight.shape) for weight in network.parameters() if weight.ndim == 4]
    assert shapes == [(100, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4), (128, 64, 4, 4), (64, 3, 4, 4)]


def test_augmentation_changes_each_image_otherwise_and_passes_gradients() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32).expand(4, -1, -1, -1).clone().requires_grad_()
    out = DiffAugment()(x)
    assert out.shape == x.shape
    assert not out[0].equal(out[1])
    out.sum().backward()
    assert x.grad.abs().sum(dim=(1, 2, 3)).min() > 0


def test_augmentation_keeps_what_it_does_not_cut() -> None:
    """A flat gray image knows neither saturation nor contrast: one level of brightness, and zeros."""
    torch.manual_seed(0)
    out = DiffAugment()(torch.full((8, 3, 32, 32), 0.3))
    for image in out:
        assert len(image.unique()) <= 2 + 2  # rounding of the means
        assert 0.1 < (image == 0).float().mean() < 0.6
