"""The conversion between sRGB and CIE Lab, which agrees with scikit-image and can be inverted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from translate.images import to_tensor
from translate.images.color.lab import join_lab, lab_to_rgb, rgb_to_lab, split_lab

RED, GREEN, BLUE = [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]


def color_grid(steps: int = 18) -> np.ndarray:
    """Return (steps, steps * steps, 3) uint8: a grid over all sRGB colours, with the corners."""
    levels = np.linspace(0, 255, steps).round().astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(steps, -1, 3)


def to_numpy(image: Tensor) -> np.ndarray:
    """Convert (1, C, H, W) to (H, W, C)."""
    return image[0].permute(1, 2, 0).numpy()


def test_rgb_to_lab_agrees_with_scikit_image() -> None:
    actual = to_numpy(rgb_to_lab(to_tensor(color_grid())))
    assert np.abs(actual - rgb2lab(color_grid() / 255)).max() < 1e-3


def test_lab_to_rgb_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(0)
    # All colours are inside sRGB; scikit-image clips others in its own way.
    lab = rgb2lab(rng.random((40, 50, 3)))
    actual = to_numpy(lab_to_rgb(torch.from_numpy(lab).float().permute(2, 0, 1)[None]))
    assert np.abs((actual + 1) / 2 - lab2rgb(lab)).max() < 1e-4


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [(RED, (53.24, 80.09, 67.20)), (GREEN, (87.73, -86.18, 83.18)), (BLUE, (32.30, 79.19, -107.86))],
)
def test_the_primaries_have_their_published_lab_values(
    rgb: list[float], lab: tuple[float, float, float]
) -> None:
    actual = rgb_to_lab(torch.tensor(rgb).view(1, 3, 1, 1)).flatten().tolist()
    assert actual == pytest.approx(lab, abs=0.05)


def test_a_round_trip_keeps_all_16bit_levels() -> None:
    rgb = to_tensor(np.random.default_rng(0).integers(0, 65536, (64, 64, 3), dtype=np.uint16))
    for restored in (lab_to_rgb(rgb_to_lab(rgb)), join_lab(*split_lab(rgb))):
        assert (restored - rgb).abs().max() < 0.5 * 2 / 65535
    colors = to_tensor(color_grid())
    assert (join_lab(*split_lab(colors)) - colors).abs().max() < 1e-3


def test_mixed_precision_does_not_change_colors() -> None:
    rgb = to_tensor(color_grid())
    with torch.autocast("cpu", torch.bfloat16):
        lab = rgb_to_lab(rgb)
        restored = lab_to_rgb(lab)
    assert lab.equal(rgb_to_lab(rgb))
    assert restored.equal(lab_to_rgb(lab))


def test_split_lab_normalizes_to_the_range_of_networks() -> None:
    light, chroma = split_lab(to_tensor(color_grid()))
    assert light.shape == (1, 1, 18, 324)
    assert chroma.shape == (1, 2, 18, 324)
    assert (light.min(), light.max()) == pytest.approx((-1, 1), abs=1e-5)
    assert -1 < chroma.min() < -0.9
    assert 0.85 < chroma.max() < 1


def test_gray_has_no_chroma_and_its_lightness_rises() -> None:
    gray = torch.linspace(-1, 1, 256).expand(1, 3, 1, 256)
    light, chroma = split_lab(gray)
    assert chroma.abs().max() < 1e-3
    assert (light.diff() > 0).all()


def test_join_lab_does_not_clip() -> None:
    vivid = join_lab(torch.zeros(1, 1, 1, 1), torch.ones(1, 2, 1, 1))
    assert vivid.abs().max() > 1.1
    assert rgb_to_lab(vivid).flatten().tolist() == pytest.approx([50, 110, 110], abs=0.01)


def test_images_of_a_batch_are_converted_independently() -> None:
    batch = torch.rand(3, 3, 5, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for convert, values in ((rgb_to_lab, batch), (lab_to_rgb, rgb_to_lab(batch))):
        separate = torch.cat([convert(value[None]) for value in values])
        torch.testing.assert_close(convert(values), separate, atol=1e-4, rtol=0)


def test_gradients_are_finite_at_black_and_outside_the_range() -> None:
    """A network that is trained through Lab may output any value."""
    rgb = torch.linspace(-1.5, 1.5, 301).expand(1, 3, 1, 301).clone().requires_grad_()
    light, chroma = split_lab(rgb)
    (light.sum() + chroma.square().sum() + join_lab(light, chroma).sum()).backward()
    assert rgb.grad is not None
    assert rgb.grad.isfinite().all()
    assert (rgb.grad[..., 50:250] > 0).all()  # From black to white, L rises with the brightness.
