"""What a person sees of a run, and what is kept of it: progress line, log.txt, metrics.jsonl, events."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from translate.engine.run import Run
from translate.engine.schedule import Length, Position
from translate.errors import TranslateError
from translate.storage import write_whole

RECORD_SECONDS = 15.0  # between the lines that are kept
LINE_SECONDS = 1.0  # between two states of the line on a terminal


class Log:
    """Collects losses and tells them.

    Args:
        start: where the run resumes; what was written beyond it is forgotten.
        batch_size: pictures a step, for the rate.
    """

    def __init__(self, run: Run, length: Length, start: Position, batch_size: int) -> None:
        self.run, self.length, self.batch_size = run, length, batch_size
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        _forget_after(run.metrics, start.step)
        logging.getLogger("tensorboard").setLevel(logging.ERROR)
        self.events = SummaryWriter(run.folder / "events", purge_step=start.step + 1)
        self.sums: dict[str, Any] = {}
        self.last_look: dict[str, float] = {}
        self.count = 0
        self.waited = 0.0
        self.since = (time.monotonic(), start.step)
        self.shown = self.since[0]

    def say(self, text: str) -> None:
        """One line for the person and for log.txt."""
        self._end_line()
        self.console.print(text, markup=False)
        self._append(self.run.log, text)

    def step(self, at: Position, losses: dict[str, Any], waited: float = 0.0) -> None:
        """Take in the losses of a step; tell their means when it is time.

        Args:
            waited: seconds that the step had to wait for its pictures.
        """
        self.waited += waited
        for name, loss in losses.items():
            value = loss.detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1
        now = time.monotonic()
        if now - self.since[0] >= RECORD_SECONDS or self.length.done(at):
            self.tell(at)
        elif self.console.is_terminal and now - self.shown >= LINE_SECONDS:
            self.shown = now
            self._rewrite(self._line(at, self._figures(at)))

    def tell(self, at: Position) -> None:
        """Tell and keep the means of the losses since the last time.

        Raises:
            TranslateError: a loss is no longer a number.
        """
        if not self.count:
            return
        figures = self._figures(at)
        self.since, self.sums, self.count, self.waited = (time.monotonic(), at.step), {}, 0, 0.0
        for name, value in figures.items():
            if not math.isfinite(value):
                raise TranslateError(
                    f"the loss {name} is {value} at step {at.step}:"
                    " --resume from the last checkpoint, or start anew with a lower --lr or --precision fp32"
                )
        line = self._line(at, figures)
        if self.console.is_terminal:
            self._rewrite(line)
        else:
            self.console.print(line, markup=False)
        self._append(self.run.log, line)
        self.scores(at, figures)

    def _figures(self, at: Position) -> dict[str, float]:
        """Since they were last told: the rate, the share of waiting for pictures, the losses' means."""
        # Reading the sums waits for a GPU to catch up: the clock is read after it.
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        seconds = max(time.monotonic() - self.since[0], 1e-9)
        rate = (at.step - self.since[1]) / seconds
        return {"pictures_per_second": rate * self.batch_size, "waiting": self.waited / seconds, **means}

    def _line(self, at: Position, figures: dict[str, float]) -> str:
        """Epoch, step, rate, time left, waiting, losses, and the scores of the last look."""
        epoch = (at.step - 1) // self.length.steps_per_epoch + 1
        rate, waiting, *_ = figures.values()
        left = _clock(self.length.seconds_left(at, rate / self.batch_size))
        known = {**dict(list(figures.items())[2:]), **self.last_look}
        losses = "  ".join(f"{name} {value:.3f}" for name, value in known.items())
        pace = f"{rate:.1f} pictures/s  {left} left  waiting {waiting:.0%}"
        return f"epoch {epoch}  step {at.step}  {pace}  {losses}"

    def _rewrite(self, line: str) -> None:
        width = self.console.width - 1
        sys.stderr.write(f"\r{line[:width]:<{width}}")
        sys.stderr.flush()

    def scores(self, at: Position, values: dict[str, float]) -> None:
        """Keep named figures of a step in metrics.jsonl and in the events."""
        record = {"step": at.step, "seconds": round(at.seconds, 3), **values}
        self._append(self.run.metrics, json.dumps(record))
        for name, value in values.items():
            self.events.add_scalar(name, value, at.step)

    def looked(self, at: Position, values: dict[str, float]) -> None:
        """Keep the scores of a look, and show them until the next one."""
        self.last_look = values
        self.scores(at, values)

    def close(self) -> None:
        self._end_line()
        self.events.close()

    def _end_line(self) -> None:
        if self.console.is_terminal:
            self._rewrite("")
            sys.stderr.write("\r")

    def _append(self, path: Path, line: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class Silent:
    """The log of a process that is not the first of its group: what it would tell, the first tells."""

    def say(self, text: str) -> None: ...

    def step(self, at: Position, losses: dict[str, Any], waited: float = 0.0) -> None: ...

    def tell(self, at: Position) -> None: ...

    def looked(self, at: Position, values: dict[str, float]) -> None: ...

    def close(self) -> None: ...


def _forget_after(metrics: Path, step: int) -> None:
    """Drop the records of steps that a resumed run will take again."""
    if metrics.is_file():
        lines = metrics.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_whole(metrics, "".join(line + "\n" for line in kept).encode())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
