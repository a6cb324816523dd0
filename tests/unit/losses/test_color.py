"""Tests of soft encoding and of the rebalanced cross-entropy over colours, against the paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses import RebalancedCrossEntropy
from translate.losses.color import soft_encode

BINS = 5
GRAY = BINS**2 // 2  # The class in the middle.
RED = BINS**2 - 1  # The class at the corner with the greatest a and b.
MOMENTUM = 0.99  # Of the moving average of the frequencies.


def random_chroma(*shape: int, seed: int = 0) -> Tensor:
    """Return (N, 2, H, W) colours in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape[0], 2, *shape[1:], generator=generator) * 2 - 1


def random_logits(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape[0], BINS**2, *shape[1:], generator=torch.Generator().manual_seed(seed))


def target_distribution(chroma: Tensor) -> Tensor:
    """Return the share of each class in each colour, (N, 25, H, W)."""
    classes, shares = soft_encode(chroma, BINS)
    return torch.zeros(chroma.shape[0], BINS**2, *chroma.shape[2:]).scatter_add_(1, classes, shares)


def class_color(number: int) -> Tensor:
    """Return the colour of a class, (1, 2, 1, 1)."""
    a, b = divmod(number, BINS)
    return torch.tensor([a, b]).view(1, 2, 1, 1) / (BINS - 1) * 2 - 1


# Soft encoding


@pytest.mark.parametrize("bins", [2, 5, 23])
def test_a_color_is_the_weighted_mean_of_its_four_nearest_classes(bins: int) -> None:
    corners = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[..., None, None].expand(2, 2, 6, 7)
    chroma = torch.cat([random_chroma(2, 6, 7), corners])
    classes, shares = soft_encode(chroma, bins)
    assert classes.shape == shares.shape == (4, 4, 6, 7)
    assert 0 <= classes.min() <= classes.max() < bins**2
    assert shares.min() >= 0
    torch.testing.assert_close(shares.sum(1), torch.ones(4, 6, 7))
    colors = torch.stack([classes // bins, classes % bins], dim=1) / (bins - 1) * 2 - 1  # (N, 2, 4, H, W)
    torch.testing.assert_close((colors * shares[:, None]).sum(2), chroma, atol=1e-5, rtol=0)
    distances = (colors - chroma[:, :, None]).abs()[(shares > 0)[:, None].expand(-1, 2, -1, -1, -1)]
    assert distances.max() <= 2 / (bins - 1) + 1e-5  # No class is farther away than the next one.


def test_the_color_of_a_class_is_encoded_as_that_class_only() -> None:
    for number in range(BINS**2):
        assert target_distribution(class_color(number)).flatten().argmax() == number
        assert target_distribution(class_color(number)).max() == pytest.approx(1, abs=1e-5)


def test_colors_out_of_range_are_clamped() -> None:
    out_of_range = torch.full((1, 2, 1, 1), 3.0)
    assert torch.equal(target_distribution(out_of_range), target_distribution(class_color(RED)))


# The loss


@pytest.mark.parametrize("rebalance", [0.0, 0.5, 1.0])
def test_the_loss_is_smallest_for_the_target_color(rebalance: float) -> None:
    chroma = random_chroma(2, 3, 4)
    perfect = target_distribution(chroma).clamp_min(1e-9).log()

    def loss(logits: Tensor) -> float:
        return float(RebalancedCrossEntropy(BINS, rebalance)(logits, chroma))

    assert loss(perfect) < min(loss(perfect + 0.3 * random_logits(2, 3, 4, seed=seed)) for seed in range(5))
    for number in (0, GRAY, RED):
        losses = []
        for prediction in range(BINS**2):
            logits = 10 * F.one_hot(torch.tensor([[[prediction]]]), BINS**2).movedim(-1, 1)
            losses.append(float(RebalancedCrossEntropy(BINS, rebalance)(logits, class_color(number))))
        assert losses.index(min(losses)) == number


def test_without_rebalancing_it_is_the_plain_cross_entropy() -> None:
    logits, chroma = random_logits(2, 3, 4), random_chroma(2, 3, 4)
    loss = RebalancedCrossEntropy(BINS, rebalance=0)
    for _ in range(50):
        loss(random_logits(1, 1, 1), class_color(GRAY))
    torch.testing.assert_close(loss(logits, chroma), F.cross_entropy(logits, target_distribution(chroma)))


def loss_and_batch(counts: list[int], rebalance: float) -> tuple[RebalancedCrossEntropy, Tensor]:
    """Return a row of so many pixels of each class, and a loss whose frequencies are those of the row."""
    numbers = torch.arange(BINS**2).repeat_interleave(torch.tensor(counts))
    chroma = torch.cat([class_color(int(number)) for number in numbers], dim=3)
    loss = RebalancedCrossEntropy(BINS, rebalance)
    loss.frequency.copy_(torch.tensor(counts) / sum(counts))
    return loss, chroma


def logits_wrong_for(number: int, chroma: Tensor) -> Tensor:
    """Return logits with a cross-entropy of 1 where the target is that class, and of 0 elsewhere."""
    target = target_distribution(chroma) > 0.5
    other = math.log((math.e - 1) / (BINS**2 - 1))  # The logit of each other class, beside 0 of the target.
    return torch.where(target, 0.0, torch.where(target[:, number : number + 1], other, -99.0))


@pytest.mark.parametrize(
    ("rebalance", "ratio"), [(0.0, 1.0), (0.5, (0.9 + 1 / 25) / (0.1 + 1 / 25)), (0.99, 8.98)]
)
def test_rebalancing_weighs_a_rare_color_more(rebalance: float, ratio: float) -> None:
    """A colour that is nine times as rare weighs up to nine times as much (eq. 4)."""
    counts = [0] * BINS**2
    counts[GRAY], counts[RED] = 9, 1
    loss, chroma = loss_and_batch(counts, rebalance)
    gray, red = (float(loss(logits_wrong_for(number, chroma), chroma)) for number in (GRAY, RED))
    assert 9 * red / gray == pytest.approx(ratio, rel=0.01)
    assert gray + red == pytest.approx(1, rel=0.01)  # The weights are 1 on average.


@pytest.mark.parametrize("rebalance", [0.0, 0.3, 1.0])
def test_weights_are_1_on_average(rebalance: float) -> None:
    loss, chroma = loss_and_batch([number + 1 for number in range(BINS**2)], rebalance)
    logits = torch.zeros(1, BINS**2, 1, chroma.shape[3])
    assert float(loss(logits, chroma)) == pytest.approx(math.log(BINS**2), rel=1e-4)


def test_full_rebalancing_weighs_all_colors_alike() -> None:
    loss, chroma = loss_and_batch([number + 1 for number in range(BINS**2)], rebalance=1)
    for number in (0, GRAY, RED):
        value = float(loss(logits_wrong_for(number, chroma), chroma))
        assert value == pytest.approx(1 / BINS**2, rel=1e-3)


@pytest.mark.parametrize("rebalance", [0.0, 0.5, 1.0])
def test_the_loss_is_finite_for_a_color_that_has_not_occurred_for_long(rebalance: float) -> None:
    loss = RebalancedCrossEntropy(BINS, rebalance)
    loss.frequency.fill_(1e-40)[GRAY] = 1  # The frequencies after 8500 steps of gray photos.
    for number in (GRAY, RED):
        logits = random_logits(1, 1, 1).requires_grad_()
        value = loss(logits, class_color(number))
        value.backward()
        assert value.isfinite()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_the_loss_of_half_precision_logits_is_computed_in_float32() -> None:
    half = random_logits(1, 2, 2).to(torch.bfloat16)
    chroma = random_chroma(1, 2, 2)
    value = RebalancedCrossEntropy(BINS, 0.5)(half, chroma)
    assert value.dtype == torch.float32
    assert torch.equal(value, RebalancedCrossEntropy(BINS, 0.5)(half.float(), chroma))


# The moving average of the frequencies


def test_frequencies_start_uniform_and_follow_the_training_images() -> None:
    loss = RebalancedCrossEntropy(BINS, 0.5)
    torch.testing.assert_close(loss.frequency, torch.full((BINS**2,), 1 / BINS**2))
    chroma = random_chroma(2, 3, 4)
    expected = target_distribution(chroma).mean(dim=(0, 2, 3))
    loss(random_logits(2, 3, 4), chroma)
    torch.testing.assert_close(loss.frequency, MOMENTUM / BINS**2 + (1 - MOMENTUM) * expected)
    for _ in range(math.ceil(math.log(0.001) / math.log(MOMENTUM))):
        loss(random_logits(2, 3, 4), chroma)
    torch.testing.assert_close(loss.frequency, expected, atol=1e-3, rtol=0)
    assert float(loss.frequency.sum()) == pytest.approx(1, abs=1e-4)


def test_frequencies_are_part_of_the_state_dict() -> None:
    loss, restored = RebalancedCrossEntropy(BINS, 0.5), RebalancedCrossEntropy(BINS, 0.5)
    for _ in range(20):
        loss(random_logits(1, 1, 1), class_color(GRAY))
    restored.load_state_dict(loss.state_dict())
    logits, chroma = random_logits(2, 3, 4), random_chroma(2, 3, 4)
    assert torch.equal(loss(logits, chroma), restored(logits, chroma))
    assert torch.equal(loss.frequency, restored.frequency)


def test_only_the_logits_get_a_gradient() -> None:
    loss, logits = RebalancedCrossEntropy(BINS, 0.5), random_logits(1, 2, 2).requires_grad_()
    loss(logits, random_chroma(1, 2, 2)).backward()
    assert logits.grad is not None
    assert not loss.frequency.requires_grad
    assert list(loss.parameters()) == []
