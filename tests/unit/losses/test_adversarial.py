"""Tests of the adversarial losses and of the gradient penalty, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, RelativisticLoss, gradient_penalty, vanilla, zero_centered_penalty

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
    "hinge-real": (
        mean([max(0, 1 - x) for x in REAL]) + mean([max(0, 1 + x) for x in FAKE]),
        mean([max(0, 1 - x) for x in FAKE]),
    ),
    "wgan": (mean(FAKE) - mean(REAL), -mean(FAKE)),
    "wgan-gp": (mean(FAKE) - mean(REAL), -mean(FAKE)),
}


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_both_losses_equal_their_formulas(name: str) -> None:
    loss = GAN_LOSSES[name]
    discriminator, generator = EXPECTED[name]
    real, fake = scores(REAL), scores(FAKE)
    assert float(loss.discriminator_loss(real=real, fake=fake)) == pytest.approx(discriminator)
    assert float(loss.real_loss(real) + loss.fake_loss(fake)) == pytest.approx(discriminator)
    assert float(loss.generator_loss(fake)) == pytest.approx(generator)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_the_gradients_of_the_two_losses_have_opposite_signs(name: str) -> None:
    loss = GAN_LOSSES[name]
    real, fake = scores([0.0]).requires_grad_(), scores([0.0]).requires_grad_()
    loss.discriminator_loss(real=real, fake=fake).backward()
    assert real.grad < 0  # Gradient descent raises the scores of real images.
    if name != "lsgan":  # Its target for generated images is 0, where this score is already.
        assert fake.grad > 0
    generated = scores([0.0]).requires_grad_()
    loss.generator_loss(generated).backward()
    assert generated.grad < 0


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_losses_of_half_precision_scores_are_float32(name: str) -> None:
    half = torch.full((1, 1, 64, 64), 0.3, dtype=torch.bfloat16)
    full = half.float()
    loss = GAN_LOSSES[name]
    for value, expected in (
        (loss.discriminator_loss(real=half, fake=half), loss.discriminator_loss(real=full, fake=full)),
        (loss.generator_loss(half), loss.generator_loss(full)),
    ):
        assert value.dtype == torch.float32
        assert torch.equal(value, expected)


class Linear(nn.Module):
    """A linear critic, whose gradient is its weights everywhere."""

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
    norm = critic.weights.detach().norm()
    penalty = gradient_penalty(critic, images(seed=1), images(seed=2))
    penalty.backward()
    torch.testing.assert_close(penalty.detach(), (norm - 1) ** 2)
    torch.testing.assert_close(critic.weights.grad, 2 * (norm - 1) * critic.weights.detach() / norm)


def test_the_penalty_counts_the_gradient_in_each_images_region_only() -> None:
    critic = Linear(images(1, seed=5))
    regions = torch.zeros(3, 1, 4, 4, dtype=torch.float64)
    regions[0, :, :2, 1:] = regions[1] = 1
    penalty = gradient_penalty(critic, images(seed=1), images(seed=2), regions)
    penalty.backward()
    norms = (critic.weights.detach() * regions).flatten(1).norm(dim=1)
    assert norms[0] < norms[1]
    assert norms[2] == 0
    torch.testing.assert_close(penalty.detach(), (norms - 1).square().mean())
    assert critic.weights.grad.isfinite().all()


@pytest.mark.parametrize(("norm", "penalty"), [(1.0, 0.0), (2.0, 1.0), (0.5, 0.25), (0.0, 1.0)])
def test_any_gradient_norm_but_1_is_penalised(norm: float, penalty: float) -> None:
    weights = images(1, seed=5)
    critic = Linear(norm * weights / weights.norm())
    value = gradient_penalty(critic, images(seed=1), images(seed=2))
    assert value.item() == pytest.approx(penalty, abs=1e-12)


def test_the_penalty_of_a_quadratic_critic_is_the_mean_over_the_images() -> None:
    weights = nn.Parameter(images(1, seed=5))
    x = images(seed=1)  # The real and the fake images are equal, so every interpolation is x.
    penalty = gradient_penalty(lambda mixed: (weights * mixed**2 / 2).sum((1, 2, 3)), x, x)
    penalty.backward()
    w = weights.detach()
    norms = (w * x).flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty.detach(), (norms - 1).square().mean())
    factor = (2 * (norms - 1) / norms).view(-1, 1, 1, 1)
    torch.testing.assert_close(weights.grad, (factor * w * x**2).mean(0, keepdim=True))


def test_each_image_is_interpolated_by_its_own_random_share() -> None:
    inputs = []

    def critic(x: Tensor) -> Tensor:
        inputs.append(x.detach())
        return x.sum((1, 2, 3))

    gradient_penalty(critic, torch.zeros(64, 3, 4, 4), torch.ones(64, 3, 4, 4))
    shares = inputs[0].flatten(1)
    assert torch.equal(shares.amin(1), shares.amax(1))
    assert len(shares[:, 0].unique()) > 60
    assert 0 <= shares.min() < 0.2 < 0.8 < shares.max() <= 1


def test_the_images_get_no_gradient_from_the_penalty() -> None:
    real, fake = images(seed=1).requires_grad_(), images(seed=2).requires_grad_()
    gradient_penalty(Linear(images(1, seed=5)), real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


def test_label_smoothing_changes_the_target_of_real_images_only() -> None:
    expected = mean([0.9 * softplus(-x) + 0.1 * softplus(x) for x in REAL]) + mean(
        [softplus(x) for x in FAKE]
    )
    loss = vanilla(0.1).discriminator_loss(real=scores(REAL), fake=scores(FAKE))
    assert float(loss) == pytest.approx(expected)
    fake = scores(FAKE)
    assert vanilla(0.1).generator_loss(fake).equal(vanilla().generator_loss(fake))


def test_the_penalty_of_a_two_layer_critic_and_its_gradient_equal_the_formula() -> None:
    """The gradient of the critic is written out by hand: W2' * (W1 x > 0) W1."""
    torch.manual_seed(0)
    first, last = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((7, 12), (1, 7))
    )
    real, fake = (torch.randn(5, 3, 2, 2, dtype=torch.float64) for _ in range(2))

    torch.manual_seed(1)
    penalty = gradient_penalty(lambda x: (x.flatten(1) @ first.T).relu() @ last.T, real, fake)
    gradients = torch.autograd.grad(penalty, (first, last))

    torch.manual_seed(1)
    share = torch.rand(5, 1, 1, 1, dtype=torch.float64)
    mixed = (1 - share) * real + share * fake
    active = (mixed.flatten(1) @ first.T > 0).to(torch.float64)
    input_gradients = (active * last) @ first
    expected = ((input_gradients.square().sum(1).sqrt() - 1) ** 2).mean()
    expected_gradients = torch.autograd.grad(expected, (first, last))

    assert float(penalty.detach()) == pytest.approx(float(expected.detach()), abs=1e-6)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_the_losses_of_several_scales_add_up(name: str) -> None:
    loss = GAN_LOSSES[name]
    real, fake = (scores(REAL), scores(FAKE)), (scores(FAKE), scores(REAL))
    expected = sum(loss.discriminator_loss(real=r, fake=f) for r, f in zip(real, fake, strict=True))
    assert float(loss.discriminator_loss(real=real, fake=fake)) == pytest.approx(float(expected))
    expected = sum(map(loss.generator_loss, fake))
    assert float(loss.generator_loss(fake)) == pytest.approx(float(expected))


def test_the_relativistic_loss_pairs_scores_by_index() -> None:
    real, fake, loss = [2.0, -0.5, 1.0], [-2.0, 0.5, 3.0], RelativisticLoss()
    d = loss.discriminator_loss(real=scores(real), fake=scores(fake))
    g = loss.generator_loss(scores(fake), real=scores(real))
    pairs = list(zip(real, fake, strict=True))
    assert float(d) == pytest.approx(mean([softplus(f - r) for r, f in pairs]))
    assert float(g) == pytest.approx(mean([softplus(r - f) for r, f in pairs]))
    both = loss.discriminator_loss(real=(scores(real), scores(fake)), fake=(scores(fake), scores(real)))
    assert float(both) == pytest.approx(float(d + g))


def test_the_relativistic_loss_refuses_scores_that_do_not_pair() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1, 1, 2\) and \(1, 1, 1, 3\)"):
        RelativisticLoss().discriminator_loss(real=scores(REAL), fake=scores(FAKE))


def test_the_zero_centered_penalty_of_a_linear_critic_and_its_gradient_are_exact() -> None:
    critic = Linear(images(1, seed=5))
    penalty = zero_centered_penalty(critic, images(seed=1))
    penalty.backward()
    w = critic.weights.detach()
    torch.testing.assert_close(penalty.detach(), w.square().sum() / 2)
    torch.testing.assert_close(critic.weights.grad, w)


def test_the_zero_centered_penalty_is_the_mean_over_patches_and_the_sum_over_scales_of_each_ones_own() -> (
    None
):
    torch.manual_seed(0)
    first, second = torch.randn(2, 3, 48, dtype=torch.float64), torch.randn(5, 48, dtype=torch.float64)

    def critic(x: Tensor) -> tuple[Tensor, ...]:
        flat = x.flatten(1)
        return (flat @ first.flatten(0, 1).T).view(-1, 1, 2, 3), (flat @ second.T).view(-1, 1, 1, 5)

    expected = (first.square().sum(-1).mean() + second.square().sum(-1).mean()) / 2
    many = images(seed=1)[:1].expand(4000, -1, -1, -1)  # Each image has signs of its own.
    torch.testing.assert_close(zero_centered_penalty(critic, many), expected, rtol=0.02, atol=0)
