"""How long a run is, and the course of its learning rate."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.methods.pix2pix.config import Pix2PixConfig
from translate.training.schedule import TrainingBudget, TrainingProgress, learning_rate_factor

SCHEDULES = ["constant", "linear", "cosine", "step"]


def length(steps_per_epoch: int = 10, **settings) -> TrainingBudget:
    return TrainingBudget(Pix2PixConfig(**settings), steps_per_epoch)


def test_the_default_course_is_the_references_one_epoch_later(real_data: Path) -> None:
    reference = json.loads((real_data / "reference" / "lr_linear.json").read_text())["linear_100_100"]
    ours = [2e-4 * length(1).rate(TrainingProgress(step)) for step in range(200)]
    assert ours[0] == 2e-4
    assert ours[1:] == pytest.approx(reference[:-1], rel=1e-9)
    assert reference[-1] == 0 < ours[-1]


@pytest.mark.parametrize(
    ("schedule", "done", "factor"),
    [
        ("constant", 0, 1),
        ("constant", 199, 1),
        ("linear", 0, 1),
        ("linear", 99, 1),
        ("linear", 100, 100 / 101),
        ("linear", 199, 1 / 101),
        ("cosine", 0, 1),
        ("cosine", 100, 0.5),
        ("cosine", 200, 0),
        ("step", 49, 1),
        ("step", 50, 0.1),
        ("step", 199, 0.001),
    ],
)
def test_factors(schedule: str, done: int, factor: float) -> None:
    assert learning_rate_factor(schedule, done, 200, 0.5) == pytest.approx(factor)


@given(st.sampled_from(SCHEDULES), st.integers(1, 500), st.floats(0, 1))
def test_a_rate_starts_at_one_never_rises_and_trains_to_the_end(
    schedule: str, total: int, decay: float
) -> None:
    factors = [learning_rate_factor(schedule, done, total, decay) for done in range(total)]
    assert factors[0] <= 1
    assert factors[0] == 1 or decay == 1 or decay * total > total - 1
    assert all(after <= before for before, after in pairwise(factors))
    assert factors[-1] > 0


def test_linear_falls_over_the_share_asked_for() -> None:
    assert learning_rate_factor("linear", 89, 100, 0.1) == 1
    assert learning_rate_factor("linear", 90, 100, 0.1) < 1
    assert all(learning_rate_factor("linear", done, 100, 0.0) == 1 for done in range(100))


def test_a_length_in_epochs_changes_the_rate_between_epochs_only() -> None:
    rates = [length(epochs=4).rate(TrainingProgress(step)) for step in range(40)]
    assert all(len(set(rates[start : start + 10])) == 1 for start in (0, 10, 20, 30))
    assert rates[10] == 1 > rates[20] > rates[30] > 0


def test_a_length_in_steps_changes_the_rate_from_step_to_step() -> None:
    rates = [length(steps=40).rate(TrainingProgress(step)) for step in range(40)]
    assert rates[19] == 1
    assert len(set(rates[19:])) == 21


def test_a_length_in_minutes_changes_the_rate_with_time() -> None:
    run = length(minutes=1)
    assert run.rate(TrainingProgress(10**6, 29)) == 1
    assert 0 < run.rate(TrainingProgress(1, 59.9)) < 0.05


@pytest.mark.parametrize(
    ("settings", "steps", "last", "ended"),
    [
        ({"epochs": 3}, 30, TrainingProgress(29, 1e9), TrainingProgress(30)),
        ({"steps": 7}, 7, TrainingProgress(6, 1e9), TrainingProgress(7)),
        ({"minutes": 2}, None, TrainingProgress(10**9, 119.9), TrainingProgress(0, 120.0)),
    ],
)
def test_a_run_ends_by_its_own_measure(
    settings: dict, steps: int | None, last: TrainingProgress, ended: TrainingProgress
):
    run = length(**settings)
    assert run.steps == steps
    assert not run.done(last)
    assert run.done(ended)
    assert run.fraction(TrainingProgress()) == 0


def test_the_time_left_is_what_the_rate_says_or_the_clock() -> None:
    assert length(steps=100).seconds_left(TrainingProgress(40, 9), 2.0) == 30
    assert length(minutes=2).seconds_left(TrainingProgress(40, 9), 2.0) == 111
    assert length(minutes=2).seconds_left(TrainingProgress(40, 130), 2.0) == 0
