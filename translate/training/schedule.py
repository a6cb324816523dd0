"""How long a run is, and the course of its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from translate.config import TrainConfig


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run stands: steps taken and seconds spent on them."""

    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class TrainingBudget:
    """The end of a run, counted in epochs, steps or seconds."""

    c: TrainConfig
    steps_per_epoch: int

    @property
    def steps(self) -> int | None:
        """Steps in all, or None where the run ends by the clock."""
        if self.c.minutes:
            return None
        return self.c.steps or self.c.epochs * self.steps_per_epoch

    def epoch(self, at: TrainingProgress) -> int:
        """Return how many epochs are behind."""
        return at.step // self.steps_per_epoch

    def done(self, at: TrainingProgress) -> bool:
        """Return whether the run has reached its end."""
        return self.fraction(at) >= 1

    def fraction(self, at: TrainingProgress) -> float:
        """Return the part of the run that is behind, 0 to 1."""
        return at.seconds / (60 * self.c.minutes) if self.c.minutes else at.step / (self.steps or 1)

    def seconds_left(self, at: TrainingProgress, steps_a_second: float) -> float:
        if self.c.minutes:
            return max(0.0, 60 * self.c.minutes - at.seconds)
        return ((self.steps or 0) - at.step) / steps_a_second

    def rate(self, at: TrainingProgress) -> float:
        """Return the factor of the learning rate for the next step.

        Lengths in epochs change it from epoch to epoch, as the reference does, others from step to step.
        """
        if self.c.minutes:
            done, total = at.seconds, 60 * self.c.minutes
        elif self.c.steps:
            done, total = at.step, self.c.steps
        else:
            done, total = self.epoch(at), self.c.epochs
        return learning_rate_factor(self.c.lr_schedule, done, total, self.c.lr_decay)


def learning_rate_factor(schedule: str, done: float, total: float, decay: float) -> float:
    """Return the factor of the learning rate after `done` of `total` units (epochs, steps or seconds).

    `linear` is 1 until the last `decay` share and falls from there towards 0, which it would
    reach just after the end: the reference's curve, one epoch later, so that no epoch is idle.
    `cosine` falls from 1 to 0 (arXiv:1608.03983); `step` is divided by 10 at each quarter.
    """
    if schedule == "linear":
        falling = decay * total
        return min(1.0, max(0.0, 1 - (done + 1 - (total - falling)) / (falling + 1)))
    if schedule == "cosine":
        return (1 + math.cos(math.pi * min(1.0, done / total))) / 2
    if schedule == "step":
        return 0.1 ** int(4 * done / total)
    return 1.0
