"""The training budget ends a run, and the learning-rate schedule follows it."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import translate
from tests.images import demo
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.training.schedule import TrainingBudget, TrainingProgress, schedule_factor

SCHEDULES = ["constant", "linear", "cosine", "step"]


def budget(steps_per_epoch: int = 10, **settings: Any) -> TrainingBudget:
    return TrainingBudget(Pix2PixConfig(**settings), steps_per_epoch)


def test_the_default_schedule_is_the_references_one_epoch_later(real_data: Path) -> None:
    reference = json.loads((real_data / "reference" / "lr_linear.json").read_text())["linear_100_100"]
    ours = [2e-4 * budget(1).learning_rate_factor(TrainingProgress(step)) for step in range(200)]
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
def test_the_factor_of_each_schedule(schedule: str, done: int, factor: float) -> None:
    assert schedule_factor(schedule, done, 200, 0.5) == pytest.approx(factor)


@given(st.sampled_from(SCHEDULES), st.integers(1, 500), st.floats(0, 1))
def test_a_learning_rate_starts_high_never_rises_and_stays_above_zero(
    schedule: str, total: int, decay: float
) -> None:
    factors = [schedule_factor(schedule, done, total, decay) for done in range(total)]
    assert factors[0] <= 1
    assert factors[0] == 1 or decay == 1 or decay * total > total - 1
    assert all(after <= before for before, after in pairwise(factors))
    assert factors[-1] > 0


def test_linear_falls_over_the_share_lr_decay() -> None:
    assert schedule_factor("linear", 89, 100, 0.1) == 1
    assert schedule_factor("linear", 90, 100, 0.1) < 1
    assert all(schedule_factor("linear", done, 100, 0.0) == 1 for done in range(100))


def test_with_epochs_the_learning_rate_changes_between_epochs_only() -> None:
    rates = [budget(epochs=4).learning_rate_factor(TrainingProgress(step)) for step in range(40)]
    assert all(len(set(rates[start : start + 10])) == 1 for start in (0, 10, 20, 30))
    assert rates[10] == 1 > rates[20] > rates[30] > 0


def test_with_steps_the_learning_rate_changes_from_step_to_step() -> None:
    rates = [budget(steps=40).learning_rate_factor(TrainingProgress(step)) for step in range(40)]
    assert rates[19] == 1
    assert len(set(rates[19:])) == 21


def test_with_minutes_the_learning_rate_changes_with_time() -> None:
    minute = budget(minutes=1)
    assert minute.learning_rate_factor(TrainingProgress(10**6, 29)) == 1
    assert 0 < minute.learning_rate_factor(TrainingProgress(1, 59.9)) < 0.05


@pytest.mark.parametrize(
    ("settings", "steps", "before_end", "end"),
    [
        ({"epochs": 3}, 30, TrainingProgress(29, 1e9), TrainingProgress(30)),
        ({"steps": 7}, 7, TrainingProgress(6, 1e9), TrainingProgress(7)),
        ({"minutes": 2}, None, TrainingProgress(10**9, 119.9), TrainingProgress(0, 120.0)),
    ],
)
def test_a_run_ends_after_its_epochs_steps_or_minutes(
    settings: dict[str, Any], steps: int | None, before_end: TrainingProgress, end: TrainingProgress
) -> None:
    length = budget(**settings)
    assert length.steps == steps
    assert not length.is_reached(before_end)
    assert length.is_reached(end)
    assert length.fraction(TrainingProgress()) == 0


def test_minutes_end_a_run_in_time(tmp_path: Path) -> None:
    data, run = demo(tmp_path / "data"), tmp_path / "run"
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "d_layers": 2, "workers": 0, "device": "cpu"}
    start = time.monotonic()
    translate.train("pix2pix", data=str(data), out=str(run), minutes=0.02, **small)
    elapsed = time.monotonic() - start
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["step"] > 1
    assert 1.2 <= last["seconds"] < 1.2 + 5, "a run ends with the step during which its time is up"
    assert last["seconds"] <= elapsed < last["seconds"] + 30, "the rest is loading, validation and saving"


def test_the_time_left_follows_from_the_steps_per_second_or_the_clock() -> None:
    assert budget(steps=100).seconds_left(TrainingProgress(40, 9), 2.0) == 30
    assert budget(minutes=2).seconds_left(TrainingProgress(40, 9), 2.0) == 111
    assert budget(minutes=2).seconds_left(TrainingProgress(40, 130), 2.0) == 0
