"""The training budget (the length of a run) and the learning-rate schedule.

The schedule is a function of the progress, without the state of torch's `lr_scheduler`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from translate.config import TrainConfig


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a run as the training loop counts it: steps taken, and seconds spent on them.

    A trainer's step gets a `StepProgress` instead.
    """

    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TrainingBudget:
    """The length of a run in epochs, steps or minutes, whichever the settings give.

    A run ends when its budget is reached, or earlier by early stopping (`training/best.py`).
    """

    c: TrainConfig
    steps_per_epoch: int

    @property
    def steps(self) -> int | None:
        """Return the number of steps of the run; None if its length is given in minutes."""
        if self.c.minutes:
            return None
        return self.c.steps or self.c.epochs * self.steps_per_epoch

    @property
    def total(self) -> float:
        """Return the length of the run in its unit, steps or seconds."""
        return 60 * self.c.minutes if self.c.minutes else self.steps or 1

    @property
    def unit(self) -> str:
        """Return the unit in which the run is counted: `steps` or `seconds`."""
        return "seconds" if self.c.minutes else "steps"

    def done_units(self, progress: TrainingProgress) -> float:
        """Return how many steps or seconds of the run are done."""
        return progress.seconds if self.c.minutes else progress.step

    def epoch(self, progress: TrainingProgress) -> int:
        """Return the number of finished epochs."""
        return progress.step // self.steps_per_epoch

    def is_reached(self, progress: TrainingProgress) -> bool:
        """Return whether the run has reached its end."""
        return self.fraction(progress) >= 1

    def step_arguments(self, progress: TrainingProgress) -> dict[str, Any]:
        """Return the finished epochs and the finished fraction of the run, as arguments of a step."""
        return {"epoch": self.epoch(progress), "fraction": min(1.0, self.fraction(progress))}

    def fraction(self, progress: TrainingProgress) -> float:
        """Return the fraction of the run that is done, 0 to 1."""
        return self.done_units(progress) / self.total

    def seconds_left(self, progress: TrainingProgress, steps_per_second: float) -> float:
        """Return the time until the end of the run, in seconds, at a given rate."""
        left = self.total - self.done_units(progress)
        return max(0.0, left) if self.c.minutes else left / steps_per_second

    def learning_rate_factor(self, progress: TrainingProgress) -> float:
        """Return the factor of the learning rates for the next step, by the learning-rate schedule.

        If the length is given in epochs, it changes from epoch to epoch, as in the reference
        implementation; otherwise it changes from step to step.
        """
        if self.c.minutes:
            done, total = progress.seconds, 60 * self.c.minutes
        elif self.c.steps:
            done, total = progress.step, self.c.steps
        else:
            done, total = self.epoch(progress), self.c.epochs
        return schedule_factor(self.c.lr_schedule, done, total, self.c.lr_decay)


def schedule_factor(schedule: str, done: float, total: float, decay: float) -> float:
    """Return the factor of a learning-rate schedule after `done` of `total` units (epochs, steps or seconds).

    Args:
        schedule: `constant` is 1. `linear` is 1 at first, and then decays linearly over the last part of the
            run. It would reach 0 one unit after the end, so that no epoch trains with a learning rate of 0;
            the reference implementation is one epoch ahead, and its last epoch has 0. `cosine` decays from 1
            to 0 (arXiv:1608.03983). `step` is divided by 10 after each quarter of the run.
        decay: fraction of the run, at its end, over which `linear` decays.
    """
    if schedule == "linear":
        falling = decay * total
        return min(1.0, max(0.0, 1 - (done + 1 - (total - falling)) / (falling + 1)))
    if schedule == "cosine":
        return (1 + math.cos(math.pi * min(1.0, done / total))) / 2
    if schedule == "step":
        return 0.1 ** int(4 * done / total)
    return 1.0
