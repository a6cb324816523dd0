"""Tests of PatchGAN and the pixel discriminator: score maps and receptive fields."""

from __future__ import annotations

import pytest
import torch

from translate.networks import PatchGAN, PixelDiscriminator
from translate.networks.discriminators import MultiscaleDiscriminator
from translate.networks.spectral_norm import add_spectral_norm


@pytest.mark.parametrize(("size", "scores"), [((256, 256), (30, 30)), ((512, 256), (62, 30))])
def test_a_patchgan_returns_30x30_scores_for_256x256(size: tuple[int, int], scores: tuple[int, int]) -> None:
    with torch.device("meta"):
        assert PatchGAN(6)(torch.empty(2, 6, *size)).shape == (2, 1, *scores)


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_the_receptive_field_of_a_patchgan(layers: int, side: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    scores = PatchGAN(width=4, layers=layers, norm="none")(x)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    rows, columns = x.grad[0].abs().sum(0).nonzero().T
    assert int(rows.max() - rows.min()) + 1 == side
    assert int(columns.max() - columns.min()) + 1 == side


def test_a_pixel_discriminator_scores_each_pixel_on_its_own() -> None:
    torch.manual_seed(0)
    discriminator = PixelDiscriminator(width=4, norm="none")
    x = torch.randn(2, 3, 5, 7)
    changed = x.clone()
    changed[0, :, 2, 3] += 1
    difference = discriminator(changed) - discriminator(x)
    assert discriminator(x).shape == (2, 1, 5, 7)
    assert difference.nonzero().tolist() == [[0, 0, 2, 3]]


def test_each_scale_of_a_multiscale_discriminator_is_a_patchgan_for_a_smaller_copy() -> None:
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(width=4, layers=1, scales=3)
    x = torch.randn(2, 3, 32, 24)
    scores = discriminator(x)
    assert [tuple(scale.shape) for scale in scores] == [(2, 1, 14, 10), (2, 1, 6, 4), (2, 1, 2, 1)]
    for patchgan, scale in zip(discriminator.scales, scores, strict=True):
        assert isinstance(patchgan, PatchGAN)
        torch.testing.assert_close(scale, patchgan(x))
        padded = torch.nn.functional.pad(torch.stack([x, torch.ones_like(x)]), (1, 1, 1, 1))
        sums = padded.unfold(3, 3, 2).unfold(4, 3, 2).sum(dim=(5, 6))
        x = sums[0] / sums[1]  # The mean over the pixels of a window that lie inside the image.


def test_spectral_norm_divides_weights_by_their_largest_singular_value() -> None:
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(width=4, layers=1, scales=2)
    add_spectral_norm(discriminator)
    for _ in range(50):  # Each forward pass takes one step of the power iteration.
        discriminator(torch.randn(1, 3, 16, 16))
    layers = [m for m in discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(layers) == 6
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("discriminator", [PatchGAN, PixelDiscriminator])
def test_scores_are_unbounded(discriminator) -> None:
    torch.manual_seed(0)
    network = discriminator(width=4, norm="none")
    with torch.no_grad():
        scores = torch.cat([network(1e4 * torch.randn(1, 3, 32, 32)).flatten() for _ in range(20)])
    assert scores.max() > 10
    assert scores.min() < -10
