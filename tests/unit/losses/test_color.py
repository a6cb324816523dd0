"""The choice among classes of colour, and what it costs, against the paper's formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses import ColorClasses
from translate.losses.color import MEMORY, soft_classes

SIDE = 5
GRAY = SIDE**2 // 2  # the class in the middle
RED = SIDE**2 - 1  # the one at the corner, of the greatest a and b


def colours(*shape: int, seed: int = 0) -> Tensor:
    """(N, 2, H, W) in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape[0], 2, *shape[1:], generator=generator) * 2 - 1


def logits(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape[0], SIDE**2, *shape[1:], generator=torch.Generator().manual_seed(seed))


def targets(chroma: Tensor) -> Tensor:
    """(N, 25, H, W): how much of each class a colour is."""
    classes, shares = soft_classes(chroma, SIDE)
    return torch.zeros(chroma.shape[0], SIDE**2, *chroma.shape[2:]).scatter_add_(1, classes, shares)


def of_class(number: int) -> Tensor:
    """(1, 2, 1, 1): the colour of a class."""
    a, b = divmod(number, SIDE)
    return torch.tensor([a, b]).view(1, 2, 1, 1) / (SIDE - 1) * 2 - 1


# Soft classes


@pytest.mark.parametrize("side", [2, 5, 23])
def test_a_colour_is_the_mean_of_four_classes_around_it(side: int) -> None:
    chroma = torch.cat(
        [colours(2, 6, 7), torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[..., None, None].expand(2, 2, 6, 7)]
    )
    classes, shares = soft_classes(chroma, side)
    assert classes.shape == shares.shape == (4, 4, 6, 7)
    assert 0 <= classes.min() <= classes.max() < side**2
    assert shares.min() >= 0
    torch.testing.assert_close(shares.sum(1), torch.ones(4, 6, 7))
    places = torch.stack([classes // side, classes % side], dim=1) / (side - 1) * 2 - 1  # (N, 2, 4, H, W)
    torch.testing.assert_close((places * shares[:, None]).sum(2), chroma, atol=1e-5, rtol=0)
    used = (places - chroma[:, :, None]).abs()[(shares > 0)[:, None].expand(-1, 2, -1, -1, -1)]
    assert used.max() <= 2 / (side - 1) + 1e-5  # none further away than the next


def test_the_colour_of_a_class_is_that_class_alone() -> None:
    for number in range(SIDE**2):
        assert targets(of_class(number)).flatten().argmax() == number
        assert targets(of_class(number)).max() == pytest.approx(1, abs=1e-5)


def test_colours_beyond_the_classes_count_as_the_outermost() -> None:
    assert torch.equal(targets(torch.full((1, 2, 1, 1), 3.0)), targets(of_class(RED)))


# The loss


@pytest.mark.parametrize("rebalance", [0.0, 0.5, 1.0])
def test_the_loss_is_least_for_the_true_colour(rebalance: float) -> None:
    chroma = colours(2, 3, 4)
    truth = targets(chroma).clamp_min(1e-9).log()

    def loss(scores: Tensor) -> float:
        return float(ColorClasses(SIDE, rebalance)(scores, chroma))

    assert loss(truth) < min(loss(truth + 0.3 * logits(2, 3, 4, seed=seed)) for seed in range(5))
    for number in (0, GRAY, RED):
        certain = [
            float(
                ColorClasses(SIDE, rebalance)(
                    10 * F.one_hot(torch.tensor([[[n]]]), SIDE**2).movedim(-1, 1), of_class(number)
                )
            )
            for n in range(SIDE**2)
        ]
        assert min(range(SIDE**2), key=certain.__getitem__) == number


def test_without_rebalance_it_is_plain_cross_entropy_whatever_was_seen() -> None:
    scores, chroma = logits(2, 3, 4), colours(2, 3, 4)
    loss = ColorClasses(SIDE, rebalance=0)
    for _ in range(50):
        loss(logits(1, 1, 1), of_class(GRAY))
    torch.testing.assert_close(loss(scores, chroma), F.cross_entropy(scores, targets(chroma)))


def batch_of(counts: list[int]) -> tuple[ColorClasses, Tensor]:
    """A row of so many pixels of each class, and a loss that has seen the classes as often as that."""
    numbers = torch.arange(SIDE**2).repeat_interleave(torch.tensor(counts))
    chroma = torch.cat([of_class(int(number)) for number in numbers], dim=3)
    loss = ColorClasses(SIDE, 0)
    loss.frequency.copy_(torch.tensor(counts) / sum(counts))
    return loss, chroma


def costs(chroma: Tensor, number: int) -> Tensor:
    """Scores that cost 1 where the true colour is of that class, and elsewhere nothing."""
    truth = targets(chroma)
    wrong = math.log((math.e - 1) / (SIDE**2 - 1))  # of each of the other classes, beside 0 of the true one
    return torch.where(truth > 0.5, 0.0, torch.where(truth[:, number : number + 1] > 0.5, wrong, -99.0))


@pytest.mark.parametrize(
    ("rebalance", "ratio"), [(0.0, 1.0), (0.5, (0.9 + 1 / 25) / (0.1 + 1 / 25)), (0.99, 8.98)]
)
def test_rebalanced_the_rare_weighs_more(rebalance: float, ratio: float) -> None:
    """Up to nine times as much as what is nine times as common (eq. 4)."""
    counts = [0] * SIDE**2
    counts[GRAY], counts[RED] = 9, 1
    loss, chroma = batch_of(counts)
    loss.rebalance = rebalance
    gray, red = (float(loss(costs(chroma, number), chroma)) for number in (GRAY, RED))
    assert 9 * red / gray == pytest.approx(ratio, rel=0.01)
    assert gray + red == pytest.approx(1, rel=0.01)  # the weights are 1 on the mean


@pytest.mark.parametrize("rebalance", [0.0, 0.3, 1.0])
def test_weights_are_1_on_the_mean_of_what_is_seen(rebalance: float) -> None:
    loss, chroma = batch_of([number + 1 for number in range(SIDE**2)])
    loss.rebalance = rebalance
    scores = torch.zeros(1, SIDE**2, 1, chroma.shape[3])
    assert float(loss(scores, chroma)) == pytest.approx(math.log(SIDE**2), rel=1e-4)


def test_fully_rebalanced_each_colour_counts_alike() -> None:
    loss, chroma = batch_of([number + 1 for number in range(SIDE**2)])
    loss.rebalance = 1
    for number in (0, GRAY, RED):
        assert float(loss(costs(chroma, number), chroma)) == pytest.approx(1 / SIDE**2, rel=1e-3)


@pytest.mark.parametrize("rebalance", [0.0, 0.5, 1.0])
def test_a_colour_that_was_not_seen_for_ages_costs_no_infinity(rebalance: float) -> None:
    loss = ColorClasses(SIDE, rebalance)
    loss.frequency.fill_(1e-40)[GRAY] = 1  # as 8500 steps of gray photos leave it
    for number in (GRAY, RED):
        scores = logits(1, 1, 1).requires_grad_()
        value = loss(scores, of_class(number))
        value.backward()
        assert value.isfinite()
        assert scores.grad is not None
        assert scores.grad.isfinite().all()


def test_the_loss_of_half_precision_scores_is_float32() -> None:
    half = logits(1, 2, 2).to(torch.bfloat16)
    chroma = colours(1, 2, 2)
    value = ColorClasses(SIDE, 0.5)(half, chroma)
    assert value.dtype == torch.float32
    assert torch.equal(value, ColorClasses(SIDE, 0.5)(half.float(), chroma))


# What was seen


def test_frequencies_start_even_and_move_towards_what_is_seen() -> None:
    loss = ColorClasses(SIDE, 0.5)
    torch.testing.assert_close(loss.frequency, torch.full((SIDE**2,), 1 / SIDE**2))
    chroma = colours(2, 3, 4)
    seen = targets(chroma).mean(dim=(0, 2, 3))
    loss(logits(2, 3, 4), chroma)
    torch.testing.assert_close(loss.frequency, MEMORY / SIDE**2 + (1 - MEMORY) * seen)
    for _ in range(math.ceil(math.log(0.001) / math.log(MEMORY))):
        loss(logits(2, 3, 4), chroma)
    torch.testing.assert_close(loss.frequency, seen, atol=1e-3, rtol=0)
    assert float(loss.frequency.sum()) == pytest.approx(1, abs=1e-4)


def test_frequencies_are_part_of_the_state() -> None:
    loss, other = ColorClasses(SIDE, 0.5), ColorClasses(SIDE, 0.5)
    for _ in range(20):
        loss(logits(1, 1, 1), of_class(GRAY))
    other.load_state_dict(loss.state_dict())
    scores, chroma = logits(2, 3, 4), colours(2, 3, 4)
    assert torch.equal(loss(scores, chroma), other(scores, chroma))
    assert torch.equal(loss.frequency, other.frequency)


def test_nothing_but_the_scores_is_trained() -> None:
    loss, scores = ColorClasses(SIDE, 0.5), logits(1, 2, 2).requires_grad_()
    loss(scores, colours(1, 2, 2)).backward()
    assert scores.grad is not None
    assert not loss.frequency.requires_grad
    assert list(loss.parameters()) == []
