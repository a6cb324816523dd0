"""What is logged of a run: the progress line, log.txt, metrics.jsonl and TensorBoard events."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.tensorboard import SummaryWriter

from translate.errors import TranslateError
from translate.storage import atomic_write
from translate.training.runs.folder import Run
from translate.training.schedule import TrainingBudget, TrainingProgress

if TYPE_CHECKING:
    from rich.console import Console

RECORD_SECONDS = 15.0  # between the lines that are kept
LINE_SECONDS = 1.0  # between two states of the line on a terminal


class Log:
    """Collects losses and logs their means.

    Args:
        start: where the run resumes; what was written beyond it is dropped.

    Attributes:
        images_per_step: for the rate; it may change during a run.
    """

    def __init__(
        self, run: Run, budget: TrainingBudget, start: TrainingProgress, images_per_step: int
    ) -> None:
        self.run, self.budget, self.images_per_step = run, budget, images_per_step
        self.terminal = _terminal()
        _drop_after(run.metrics, start.step)
        logging.getLogger("tensorboard").setLevel(logging.ERROR)
        self.events = SummaryWriter(run.folder / "events", purge_step=start.step + 1)
        self.sums: dict[str, Any] = {}
        self.scores: dict[str, float] = {}  # of the newest validation
        self.count = 0
        self.waited = 0.0
        self.since = (time.monotonic(), start.step)
        self.shown = self.since[0]

    def log(self, text: str) -> None:
        """Log one line for the person and in log.txt."""
        self._end_line()
        self._print(text)
        self._append(self.run.log, text)

    def step(self, at: TrainingProgress, losses: dict[str, Any], waited: float = 0.0) -> None:
        """Add the losses of a step; log their means when it is time.

        Args:
            waited: seconds that the step had to wait for its images.
        """
        self.waited += waited
        for name, loss in losses.items():
            value = loss.detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1
        now = time.monotonic()
        if now - self.since[0] >= RECORD_SECONDS or self.budget.done(at):
            self.log_losses(at)
        elif self.terminal and now - self.shown >= LINE_SECONDS:
            self.shown = now
            self._rewrite(self._line(at, self._means(at)))

    def log_losses(self, at: TrainingProgress) -> None:
        """Log and record the means of the losses since the last time.

        Raises:
            TranslateError: a loss is NaN or Inf.
        """
        if not self.count:
            return
        means = self._means(at)
        self.since, self.sums, self.count, self.waited = (time.monotonic(), at.step), {}, 0, 0.0
        for name, value in means.items():
            if not math.isfinite(value):
                raise TranslateError(
                    f"the loss {name} is {value} at step {at.step}:"
                    " --resume from the last checkpoint, or start anew with a lower --lr or --precision fp32"
                )
        line = self._line(at, means)
        if self.terminal:
            self._rewrite(line)
        else:
            self._print(line)
        self._append(self.run.log, line)
        self.record(at, means)

    def _means(self, at: TrainingProgress) -> dict[str, float]:
        """Return, since they were last logged, the rate, the share of waiting for images, the mean losses."""
        # Reading the sums waits for a GPU to catch up: the clock is read after it.
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        seconds = max(time.monotonic() - self.since[0], 1e-9)
        rate = (at.step - self.since[1]) / seconds
        return {"pictures_per_second": rate * self.images_per_step, "waiting": self.waited / seconds, **means}

    def _line(self, at: TrainingProgress, means: dict[str, float]) -> str:
        """Return epoch, step, rate, time left, waiting, losses, and the newest validation scores."""
        epoch = (at.step - 1) // self.budget.steps_per_epoch + 1
        rate, waiting, *_ = means.values()
        left = _clock(self.budget.seconds_left(at, rate / self.images_per_step))
        known = {**dict(list(means.items())[2:]), **self.scores}
        losses = "  ".join(f"{name} {value:.3f}" for name, value in known.items())
        pace = f"{rate:.1f} images/s  {left} left  waiting {waiting:.0%}"
        return f"epoch {epoch}  step {at.step}  {pace}  {losses}"

    def _print(self, line: str) -> None:
        if self.terminal:
            self.terminal.print(line, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def _rewrite(self, line: str) -> None:
        assert self.terminal
        width = self.terminal.width - 1
        sys.stderr.write(f"\r{line[:width]:<{width}}")
        sys.stderr.flush()

    def record(self, at: TrainingProgress, values: dict[str, float]) -> None:
        """Record named values of a step in metrics.jsonl and in the events."""
        record = {"step": at.step, "seconds": round(at.seconds, 3), **values}
        self._append(self.run.metrics, json.dumps(record))
        for name, value in values.items():
            self.events.add_scalar(name, value, at.step)

    def validated(self, at: TrainingProgress, values: dict[str, float]) -> None:
        """Record validation scores, and show them until the next ones."""
        self.scores = values
        self.record(at, values)

    def close(self) -> None:
        self._end_line()
        self.events.close()

    def _end_line(self) -> None:
        if self.terminal:
            self._rewrite("")
            sys.stderr.write("\r")

    def _append(self, path: Path, line: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class NullLog:
    """The log of a process that is not the first of its group: the first logs what it would."""

    images_per_step = 0

    def log(self, text: str) -> None: ...

    def step(self, at: TrainingProgress, losses: dict[str, Any], waited: float = 0.0) -> None: ...

    def log_losses(self, at: TrainingProgress) -> None: ...

    def validated(self, at: TrainingProgress, values: dict[str, float]) -> None: ...

    def close(self) -> None: ...


def _terminal() -> Console | None:
    """Return the terminal that progress is shown on; None in a log."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console  # imported only where there is a terminal

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _drop_after(metrics: Path, step: int) -> None:
    """Drop the records of steps that a resumed run will take again."""
    if metrics.is_file():
        lines = metrics.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        atomic_write(metrics, "".join(line + "\n" for line in kept).encode())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
