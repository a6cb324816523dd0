"""Adversarial losses against their formulas, at scores small enough to check by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, gradient_penalty, vanilla

REAL, FAKE = [2.0, -0.5], [-2.0, 0.5, 3.0]


def scores(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


EXPECTED = {
    "vanilla": (
        mean([softplus(-x) for x in REAL]) + mean([softplus(x) for x in FAKE]),
        mean([softplus(-x) for x in FAKE]),
    ),
    "lsgan": (
        mean([(x - 1) ** 2 for x in REAL]) + mean([x**2 for x in FAKE]),
        mean([(x - 1) ** 2 for x in FAKE]),
    ),
    "hinge": (
        mean([max(0, 1 - x) for x in REAL]) + mean([max(0, 1 + x) for x in FAKE]),
        -mean(FAKE),
    ),
    "wgan": (mean(FAKE) - mean(REAL), -mean(FAKE)),
    "wgan-gp": (mean(FAKE) - mean(REAL), -mean(FAKE)),
}


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_both_losses_follow_their_formulas(name: str) -> None:
    loss = GAN_LOSSES[name]
    discriminator, generator = EXPECTED[name]
    assert float(loss.discriminator(real=scores(REAL), fake=scores(FAKE))) == pytest.approx(discriminator)
    assert float(loss.generator(scores(FAKE))) == pytest.approx(generator)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_each_side_pulls_the_scores_its_own_way(name: str) -> None:
    loss = GAN_LOSSES[name]
    real, fake = scores([0.0]).requires_grad_(), scores([0.0]).requires_grad_()
    loss.discriminator(real=real, fake=fake).backward()
    assert real.grad < 0  # a step down the gradient raises what is real
    if name != "lsgan":  # whose target for what is generated is 0 itself
        assert fake.grad > 0
    fooled = scores([0.0]).requires_grad_()
    loss.generator(fooled).backward()
    assert fooled.grad < 0


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_losses_of_half_precision_scores_are_float32(name: str) -> None:
    half = torch.full((1, 1, 64, 64), 0.3, dtype=torch.bfloat16)
    loss = GAN_LOSSES[name]
    for value, full in (
        (loss.discriminator(real=half, fake=half), loss.discriminator(real=half.float(), fake=half.float())),
        (loss.generator(half), loss.generator(half.float())),
    ):
        assert value.dtype == torch.float32
        assert torch.equal(value, full)


class Linear(nn.Module):
    """A critic whose slope is its weights, anywhere."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum(dim=(1, 2, 3)).view(-1, 1, 1, 1)


def images(count: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 4, 4, generator=generator, dtype=torch.float64)


def test_the_penalty_of_a_linear_critic_and_its_gradient_are_exact() -> None:
    critic = Linear(images(1, seed=5))
    length = critic.weights.detach().norm()
    penalty = gradient_penalty(critic, images(seed=1), images(seed=2))
    penalty.backward()
    torch.testing.assert_close(penalty.detach(), (length - 1) ** 2)
    torch.testing.assert_close(critic.weights.grad, 2 * (length - 1) * critic.weights.detach() / length)


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (2.0, 1.0), (0.5, 0.25), (0.0, 1.0)])
def test_any_slope_but_one_is_penalised(slope: float, penalty: float) -> None:
    weights = images(1, seed=5)
    critic = Linear(slope * weights / weights.norm())
    value = gradient_penalty(critic, images(seed=1), images(seed=2))
    assert value.item() == pytest.approx(penalty, abs=1e-12)


def test_the_penalty_of_a_curved_critic_and_its_gradient_are_each_images_own() -> None:
    weights = nn.Parameter(images(1, seed=5))
    x = images(seed=1)  # real and fake alike, so that every mixture is x
    penalty = gradient_penalty(lambda mixed: (weights * mixed**2 / 2).sum((1, 2, 3)), x, x)
    penalty.backward()
    w = weights.detach()
    lengths = (w * x).flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty.detach(), (lengths - 1).square().mean())
    factor = (2 * (lengths - 1) / lengths).view(-1, 1, 1, 1)
    torch.testing.assert_close(weights.grad, (factor * w * x**2).mean(0, keepdim=True))


def test_each_image_is_mixed_by_a_share_of_its_own() -> None:
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum((1, 2, 3))

    gradient_penalty(critic, torch.zeros(64, 3, 4, 4), torch.ones(64, 3, 4, 4))
    shares = seen[0].flatten(1)
    assert torch.equal(shares.amin(1), shares.amax(1))
    assert len(shares[:, 0].unique()) > 60
    assert 0 <= shares.min() < 0.2 < 0.8 < shares.max() <= 1


def test_the_condition_comes_first_and_is_not_differentiated() -> None:
    weights = torch.cat([100 * images(1, seed=4), images(1, seed=5)], dim=1)
    critic = Linear(weights)
    penalty = gradient_penalty(critic, images(seed=1), images(seed=2), condition=images(seed=3))
    torch.testing.assert_close(penalty.detach(), (weights[:, 3:].norm() - 1) ** 2)


def test_the_penalty_leaves_no_gradient_at_the_images() -> None:
    real, fake = images(seed=1).requires_grad_(), images(seed=2).requires_grad_()
    gradient_penalty(Linear(images(1, seed=5)), real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


def test_smoothing_asks_less_of_what_is_real_and_nothing_of_what_is_made() -> None:
    expected = mean([0.9 * softplus(-x) + 0.1 * softplus(x) for x in REAL]) + mean(
        [softplus(x) for x in FAKE]
    )
    loss = vanilla(0.1).discriminator(real=scores(REAL), fake=scores(FAKE))
    assert float(loss) == pytest.approx(expected)
    assert vanilla(0.1).generator(scores(FAKE)).equal(vanilla().generator(scores(FAKE)))


def test_the_penalty_and_its_gradient_are_those_of_the_formula_in_float64() -> None:
    """A critic of two layers, whose slope is written out by hand: W2' * (W1 x > 0) W1."""
    torch.manual_seed(0)
    first, last = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((7, 12), (1, 7))
    )
    real, fake = (torch.randn(5, 3, 2, 2, dtype=torch.float64) for _ in range(2))

    torch.manual_seed(1)
    ours = gradient_penalty(lambda x: (x.flatten(1) @ first.T).relu() @ last.T, real, fake)
    our_slopes = torch.autograd.grad(ours, (first, last))

    torch.manual_seed(1)
    share = torch.rand(5, 1, 1, 1, dtype=torch.float64)
    mixed = (1 - share) * real + share * fake
    active = (mixed.flatten(1) @ first.T > 0).to(torch.float64)
    slopes = (active * last) @ first
    expected = ((slopes.square().sum(1).sqrt() - 1) ** 2).mean()
    expected_slopes = torch.autograd.grad(expected, (first, last))

    assert float(ours.detach()) == pytest.approx(float(expected.detach()), abs=1e-6)
    for found, wanted in zip(our_slopes, expected_slopes, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
