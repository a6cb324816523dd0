"""The augmentation of what a discriminator sees: pairs, and the controller of adaptive augmentation.

DiffAugment's parts are tested in `test_noise_networks.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from translate.networks.augmentation import INTERVAL, MAX_PROBABILITY, AdaptiveAugment, DiffAugment, recolor

Augmentation = Callable[[int], nn.Module]


def adaptive(condition_channels: int = 0, *, p: float = 0.8) -> AdaptiveAugment:
    """Return an adaptive augmentation at a probability."""
    augment = AdaptiveAugment(condition_channels)
    augment.p.fill_(p)
    return augment


def noise(count: int, channels: int, side: int = 16) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("new", [DiffAugment, adaptive])
def test_a_pair_moves_as_one(new: Augmentation) -> None:
    """The channels are L, a and b of colorize: three copies of one channel stay copies."""
    torch.manual_seed(0)
    x = noise(20, 1).expand(-1, 3, -1, -1)
    out = new(1)(x)
    assert out[:, 1].equal(out[:, 0])
    assert out[:, 2].equal(out[:, 0])
    assert sum(not out[index].equal(x[index]) for index in range(20)) > 15


@pytest.mark.parametrize("new", [DiffAugment, adaptive])
@pytest.mark.parametrize("condition", [1, 3])
@pytest.mark.parametrize("image", [1, 3])
def test_only_the_image_of_a_pair_changes_its_colors(new: Augmentation, condition: int, image: int) -> None:
    torch.manual_seed(0)
    x = torch.full((20, condition + image, 16, 16), 0.6)
    out = new(condition)(x)
    before, after = out[:, :condition], out[:, condition:]
    # Translation and cutout leave zeros, and reflection leaves none.
    assert ((before - 0.6).abs() < 1e-6).logical_or(before == 0).all()
    assert ((after - 0.6).abs().flatten(1).min(dim=1).values > 1e-3).sum() > 10
    assert (before == 0).all(dim=1).equal((after == 0).all(dim=1))


def test_an_image_alone_changes_its_colors() -> None:
    torch.manual_seed(0)
    out = adaptive()(torch.full((20, 3, 16, 16), 0.6))
    assert ((out - 0.6).abs().flatten(1).max(dim=1).values > 1e-3).sum() > 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_at_probability_0_an_image_stays_the_same_bit_for_bit(channels: int, dtype: torch.dtype) -> None:
    x = noise(4, channels, side=13).to(dtype)
    for condition in (0, 1):
        out = adaptive(condition, p=0.0)(x)
        assert out.dtype == dtype
        assert out.equal(x)


def test_each_image_is_augmented_differently_and_gets_a_gradient() -> None:
    torch.manual_seed(0)
    x = noise(1, 3).expand(8, -1, -1, -1).clone().requires_grad_()
    out = adaptive()(x)
    assert out.shape == x.shape
    assert len({image.sum().item() for image in out}) == 8
    (out * noise(8, 3)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum(dim=(1, 2, 3)).min() > 0


def test_a_penalty_on_gradients_can_be_taken_through_the_augmentation() -> None:
    """R1 differentiates twice."""

    def augment(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return adaptive()(x).square()

    x = noise(2, 3, side=4).double().requires_grad_()
    assert torch.autograd.gradcheck(augment, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(augment, x, fast_mode=True)


def test_movements_mirror_turn_scale_and_shift_by_as_much_as_in_the_paper() -> None:
    """A disk in the centre shows how far it was moved, and its area how it was scaled."""
    torch.manual_seed(0)
    rows, columns = (torch.arange(64)[:, None] - 31.5), (torch.arange(64) - 31.5)
    disk = ((rows.square() + columns.square()) < 8**2).float().expand(400, 1, 64, 64)
    out = adaptive(1, p=1.0)(torch.cat([disk, torch.zeros(400, 2, 64, 64)], dim=1))[:, :1]
    area = out.sum(dim=(1, 2, 3))
    inside = area > 0.5 * disk[0].sum()  # Others were moved across the border.
    scale = (area[inside] / disk[0].sum()).log2() / 2
    assert 0.15 < scale.std() < 0.25  # 0.2 in appendix B.
    x = (out * columns).sum(dim=(1, 2, 3)) / area
    assert 0.09 < (x[inside] / 64).std() < 0.18  # Uniform within 1/8, and normal with deviation 1/8.
    half = torch.cat([torch.ones(400, 1, 16, 8), -torch.ones(400, 1, 16, 8)], dim=3)
    turned = adaptive(1, p=1.0)(torch.cat([half, torch.zeros(400, 2, 16, 16)], dim=1))[:, 0]
    sides = turned[:, 4:12, 2:4].mean(dim=(1, 2)) - turned[:, 4:12, 12:14].mean(dim=(1, 2))
    assert (sides > 1).sum() > 60
    assert (sides < -1).sum() > 60


def test_colors_change_within_the_limits_of_the_paper_and_gray_stays_gray() -> None:
    torch.manual_seed(0)
    one = torch.ones(())
    gray = recolor(noise(500, 1).expand(-1, 3, -1, -1), one)
    torch.testing.assert_close(gray[:, 0], gray[:, 2])
    x = noise(1, 3).expand(500, -1, -1, -1)
    out = recolor(x, one)
    contrast = (out.mean(dim=1).std(dim=(1, 2)) / x.mean(dim=1).std(dim=(1, 2))).log2()
    assert contrast.std().item() == pytest.approx(0.5, rel=0.15)
    inverted = (out.mean(dim=1) * x.mean(dim=1)).mean(dim=(1, 2)) < out.mean(dim=(1, 2, 3)) * x.mean()
    assert 0.4 < inverted.float().mean() < 0.6
    chroma, before = (images - images.mean(dim=1, keepdim=True) for images in (out, x))
    saturation = (chroma.flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)).log2() - contrast
    assert saturation.std().item() == pytest.approx(1.0, rel=0.15)


# The controller


def observe(augment: AdaptiveAugment, score: float, fraction: float, images: int = INTERVAL) -> float:
    """Show scores of so many real images, at this fraction of the run; return the probability."""
    augment.observe(torch.full((images, 1, 3, 3), score))
    augment.adapt(torch.tensor(fraction))
    return augment.p.item()


def test_the_probability_rises_while_d_overfits_and_falls_while_it_does_not() -> None:
    augment = AdaptiveAugment(threshold=0.5)
    assert observe(augment, 0.9, 0.02) == pytest.approx(0.2)  # 0 to 1 in a tenth of the run.
    assert observe(augment, 0.6, 0.03) == pytest.approx(0.3)
    assert observe(augment, 0.4, 0.05) == pytest.approx(0.1)
    assert observe(augment, 0.4, 0.09) == 0
    assert observe(augment, 0.9, 0.5) == pytest.approx(MAX_PROBABILITY)


def test_the_probability_changes_only_after_enough_images() -> None:
    augment = AdaptiveAugment()
    for step in range(1, 4):
        assert observe(augment, 1.0, step / 100, images=INTERVAL // 4) == 0
    assert observe(augment, 1.0, 0.04, images=INTERVAL // 4) == pytest.approx(0.4)
    assert observe(augment, 1.0, 0.05, images=INTERVAL // 4) == pytest.approx(0.4)


def test_the_target_is_the_share_of_images_that_d_takes_for_real() -> None:
    """Of 10 images, 8 or 9 are taken for real: r_t is 0.6 or 0.8."""
    for real, expected in ((7, 0.0), (9, 0.1)):
        augment = AdaptiveAugment(target=0.6)
        scores = torch.tensor([1.0] * real + [-1.0] * (10 - real)).repeat(INTERVAL)
        augment.observe(scores.view(-1, 1, 1, 1))
        augment.adapt(torch.tensor(0.01))
        assert augment.p.item() == pytest.approx(expected)


def test_in_a_long_run_the_probability_rises_as_fast_as_in_the_paper() -> None:
    augment = AdaptiveAugment()
    augment.observe(torch.ones(50_000, 1))
    augment.adapt(torch.tensor(1e-6))
    assert augment.p.item() == pytest.approx(50_000 / 500_000)


def test_a_run_that_became_longer_does_not_make_the_probability_fall() -> None:
    augment = AdaptiveAugment()
    before = observe(augment, 1.0, 0.05)
    assert observe(augment, 1.0, 0.02) >= before
