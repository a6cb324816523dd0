"""The log of a run: progress events, log.txt, metrics.jsonl and TensorBoard events."""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from translate.display import format_duration
from translate.errors import TranslateError
from translate.progress import Advanced, Finished, Measured, Started, emit, message
from translate.storage import atomic_write
from translate.training.runs.folder import Run
from translate.training.schedule import TrainingBudget, TrainingProgress

RECORD_SECONDS = 15.0  # between two records in log.txt, metrics.jsonl and TensorBoard
EVENT_SECONDS = 1.0  # between two events with the current losses: reading them waits for a GPU
JOB = "training"


class Log:
    """A log of losses, as means over the steps since the last record, and of validation scores.

    Args:
        start: the progress at which the run resumes; records of later steps are removed.

    Attributes:
        images_per_step: for the rate; it may change during a run.
    """

    def __init__(
        self, run: Run, budget: TrainingBudget, start: TrainingProgress, images_per_step: int
    ) -> None:
        self.run, self.budget, self.images_per_step = run, budget, images_per_step
        _remove_records_after(run.metrics, start.step)
        logging.getLogger("tensorboard").setLevel(logging.ERROR)
        self.events = SummaryWriter(run.folder / "events", purge_step=start.step + 1)
        self.scores: dict[str, float] = {}  # of the newest validation
        self._begin_interval(start.step)

    def start(self, progress: TrainingProgress) -> None:
        """Start the clock, and emit that training has started."""
        self._begin_interval(progress.step)
        self.last_event = self.interval_start
        emit(Started(JOB, self.budget.total, self.budget.unit, self.budget.done_units(progress)))

    def _begin_interval(self, step: int) -> None:
        """Start a new interval, over which losses are averaged."""
        self.interval_start, self.first_step = time.monotonic(), step
        self.sums: dict[str, Any] = {}
        self.count = 0
        self.waited = 0.0

    def message(self, text: str) -> None:
        """Log a line for people, which log.txt keeps, too."""
        message(text)
        self._append(self.run.log, text)

    def step(self, progress: TrainingProgress, losses: dict[str, Any], waited: float = 0.0) -> None:
        """Add the losses of a step, and record their means every 15 seconds.

        Args:
            waited: seconds that the step waited for its batch.
        """
        self.waited += waited
        for name, loss in losses.items():
            value = loss.detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1
        emit(Advanced(JOB, self.budget.done_units(progress)))
        now = time.monotonic()
        if now - self.interval_start >= RECORD_SECONDS or self.budget.is_reached(progress):
            self.record_losses(progress)
        elif now - self.last_event >= EVENT_SECONDS:
            self.last_event = now
            self._emit(progress, self._means(progress))

    def record_losses(self, progress: TrainingProgress) -> None:
        """Record the means of the losses since the last record.

        Raises:
            TranslateError: a loss is NaN or Inf.
        """
        if not self.count:
            return
        means = self._means(progress)
        self._begin_interval(progress.step)
        for name, value in means.items():
            if not math.isfinite(value):
                raise TranslateError(
                    f"loss {name} is {value} at step {progress.step}, and must be finite: continue with"
                    " --resume and a lower --lr, or start again with --precision fp32"
                )
        self._append(self.run.log, self._emit(progress, means))
        self.record(progress, means)

    def _emit(self, progress: TrainingProgress, means: dict[str, float]) -> str:
        """Emit an event with the metrics, and return its line for people."""
        summary = self._summarize(progress, means)
        emit(Measured(JOB, means, summary))
        return summary

    def _means(self, progress: TrainingProgress) -> dict[str, float]:
        """Return the rate, the share of time spent waiting for batches, and the mean of each loss."""
        # Reading a sum waits until a GPU has computed it, so read the clock afterwards.
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        seconds = max(time.monotonic() - self.interval_start, 1e-9)
        images = (progress.step - self.first_step) * self.images_per_step
        return {"pictures_per_second": images / seconds, "waiting": self.waited / seconds, **means}

    def _summarize(self, progress: TrainingProgress, means: dict[str, float]) -> str:
        """Return epoch, step, rate, time left, share of waiting, losses and the newest validation scores."""
        epoch = (progress.step - 1) // self.budget.steps_per_epoch + 1
        rate, waiting, *_ = means.values()
        left = format_duration(self.budget.seconds_left(progress, rate / self.images_per_step))
        metrics = {**dict(list(means.items())[2:]), **self.scores}
        losses = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        pace = f"{rate:.1f} images/s  {left} left  waiting for data {waiting:.0%}"
        return f"epoch {epoch}  step {progress.step}  {pace}  {losses}"

    def record(self, progress: TrainingProgress, values: dict[str, float]) -> None:
        """Write named values of a step to metrics.jsonl and TensorBoard."""
        record = {"step": progress.step, "seconds": round(progress.seconds, 3), **values}
        self._append(self.run.metrics, json.dumps(record))
        for name, value in values.items():
            self.events.add_scalar(name, value, progress.step)

    def record_validation(self, progress: TrainingProgress, scores: dict[str, float]) -> None:
        """Record validation scores, which the summaries show until the next validation."""
        self.scores = scores
        self.record(progress, scores)

    def close(self) -> None:
        """Close the files, and emit that training has ended."""
        emit(Finished(JOB))
        self.events.close()

    def _append(self, path: Path, line: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class NullLog:
    """A log that drops everything, for all processes of distributed training but the first."""

    images_per_step = 0

    def start(self, progress: TrainingProgress) -> None: ...

    def message(self, text: str) -> None: ...

    def step(self, progress: TrainingProgress, losses: dict[str, Any], waited: float = 0.0) -> None: ...

    def record_losses(self, progress: TrainingProgress) -> None: ...

    def record_validation(self, progress: TrainingProgress, scores: dict[str, float]) -> None: ...

    def close(self) -> None: ...


def _remove_records_after(metrics: Path, step: int) -> None:
    """Remove the records of steps that a resumed run will take again."""
    if metrics.is_file():
        lines = metrics.read_text(encoding="utf-8").splitlines()
        earlier = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        atomic_write(metrics, "".join(line + "\n" for line in earlier).encode())
