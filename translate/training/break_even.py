"""Decide during training on a GPU whether compiling the networks pays off in the rest of the run."""

from __future__ import annotations

from translate.training.schedule import TrainingBudget, TrainingProgress
from translate.training.step.compile import pays_off
from translate.training.step.stepper import Stepper

# The speed of a step is measured over so many seconds, after as many steps as capturing them takes.
FIRST_STEPS, MEASURED_SECONDS = 10, 15.0


class BreakEven:
    """Measures the speed of the first steps, and then has the stepper compile if that pays off.

    All processes of distributed training decide alike, because they share one clock.
    """

    def __init__(self, stepper: Stepper, budget: TrainingBudget, start: TrainingProgress) -> None:
        self.stepper, self.budget = stepper, budget
        self.first_step = start.step + FIRST_STEPS
        self.start = start

    def after_step(self, progress: TrainingProgress) -> None:
        """Decide once the speed is known; call this after each step."""
        if self.stepper.compiles_later:
            if progress.step <= self.first_step:
                self.start = progress
            elif progress.seconds - self.start.seconds >= MEASURED_SECONDS:
                rate = (progress.step - self.start.step) / (progress.seconds - self.start.seconds)
                self._decide(self.budget.seconds_left(progress, rate))

    def _decide(self, seconds_left: float) -> None:
        compiles, reason = pays_off(self.stepper.trainer, seconds_left)
        self.stepper.log(reason)
        self.stepper.compiles_later = False
        if compiles:
            self.stepper.start_compiling()
