"""Lab as scikit-image has it, there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from translate.images import to_tensor
from translate.images.color.lab import join_lab, lab_to_rgb, rgb_to_lab, split_lab

RED, GREEN, BLUE = [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]


def cube(steps: int = 18) -> np.ndarray:
    """(steps, steps * steps, 3) uint8: colours from all over sRGB, its corners with them."""
    levels = np.linspace(0, 255, steps).round().astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(steps, -1, 3)


def planes(pixels: Tensor) -> np.ndarray:
    """(1, C, H, W) -> (H, W, C)."""
    return pixels[0].permute(1, 2, 0).numpy()


def test_lab_is_that_of_scikit_image() -> None:
    ours = planes(rgb_to_lab(to_tensor(cube())))
    assert np.abs(ours - rgb2lab(cube() / 255)).max() < 1e-3


def test_rgb_is_that_of_scikit_image() -> None:
    rng = np.random.default_rng(0)
    lab = rgb2lab(rng.random((40, 50, 3)))  # none outside of sRGB, which it clips in a way of its own
    ours = planes(lab_to_rgb(torch.from_numpy(lab).float().permute(2, 0, 1)[None]))
    assert np.abs((ours + 1) / 2 - lab2rgb(lab)).max() < 1e-4


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [(RED, (53.24, 80.09, 67.20)), (GREEN, (87.73, -86.18, 83.18)), (BLUE, (32.30, 79.19, -107.86))],
)
def test_a_primary_has_the_lab_that_books_give(rgb: list[float], lab: tuple[float, float, float]) -> None:
    found = rgb_to_lab(torch.tensor(rgb).view(1, 3, 1, 1)).flatten().tolist()
    assert found == pytest.approx(lab, abs=0.05)


def test_there_and_back_is_the_same_level_of_16_bits() -> None:
    rgb = to_tensor(np.random.default_rng(0).integers(0, 65536, (64, 64, 3), dtype=np.uint16))
    for back in (lab_to_rgb(rgb_to_lab(rgb)), join_lab(*split_lab(rgb))):
        assert (back - rgb).abs().max() < 0.5 * 2 / 65535
    every = to_tensor(cube())
    assert (join_lab(*split_lab(every)) - every).abs().max() < 1e-3


def test_what_is_split_lies_in_the_range_of_networks() -> None:
    light, chroma = split_lab(to_tensor(cube()))
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


def test_what_is_joined_is_not_clipped() -> None:
    vivid = join_lab(torch.zeros(1, 1, 1, 1), torch.ones(1, 2, 1, 1))
    assert vivid.abs().max() > 1.1
    assert rgb_to_lab(vivid).flatten().tolist() == pytest.approx([50, 110, 110], abs=0.01)


def test_images_of_a_batch_are_converted_each_by_itself() -> None:
    batch = torch.rand(3, 3, 5, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for convert, values in ((rgb_to_lab, batch), (lab_to_rgb, rgb_to_lab(batch))):
        alone = torch.cat([convert(one[None]) for one in values])
        torch.testing.assert_close(convert(values), alone, atol=1e-4, rtol=0)


def test_gradients_are_finite_even_at_black_and_beyond_white() -> None:
    """A network that is trained through Lab may answer anything."""
    rgb = torch.linspace(-1.5, 1.5, 301).expand(1, 3, 1, 301).clone().requires_grad_()
    light, chroma = split_lab(rgb)
    (light.sum() + chroma.square().sum() + join_lab(light, chroma).sum()).backward()
    assert rgb.grad is not None
    assert rgb.grad.isfinite().all()
    assert (rgb.grad[..., 50:250] > 0).all()  # brighter is brighter, from black to white
