"""The display of progress events on stderr: bars on a terminal, and occasional lines in a log."""

from __future__ import annotations

import errno
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from translate.progress import Advanced, Event, Finished, Measured, Message, Started, has_listeners, listening
from translate.signals import drop_lost_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

REFRESH_SECONDS = 0.2  # The time between two refreshes of the bars on a terminal.
LINE_SECONDS = 15.0  # The time between two lines of a job in a log.
RATE_SECONDS = 60.0  # The rate is averaged over this much of the past.


class JobState:
    """The state of a job according to its events, with its rate and the time left."""

    def __init__(self, event: Started) -> None:
        self.job, self.total, self.unit, self.done = event.job, event.total, event.unit, event.done
        self.summary = ""
        self.shown_at = time.monotonic()  # When the status was shown last.
        self.is_new = False  # Whether the status has changed since then.
        self._samples = deque([(self.shown_at, event.done)])  # Times, and units that took work.

    def advance(self, event: Advanced) -> None:
        """Set how many units are done."""
        now = time.monotonic()
        self.done, self.is_new = event.done, True
        self._samples.append((now, event.done - event.skipped))
        while len(self._samples) > 2 and now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()

    def rate(self) -> float:
        """Return the units per second that took work, over the last minute; 0 while none has been done."""
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / max(end - start, 1e-9)

    def status(self) -> str:
        """Return the job's own summary; without one, the count, the rate and the time left."""
        if self.summary:
            return self.summary
        total = "" if self.total is None else f"/{self.total:.0f}"
        parts = [f"{self.done:.{0 if self.done == int(self.done) else 1}f}{total} {self.unit}"]
        if rate := self.rate():
            pace = f"{rate:.2g}" if rate < 99.5 else f"{rate:.0f}"  # Not 5.9e+02.
            parts.append(f"{pace} {self.unit}/s")
            if self.total is not None:
                parts.append(f"{format_duration((self.total - self.done) / rate)} left")
        return "  ".join(parts)


class ProgressDisplay:
    """A listener that shows progress events on stderr.

    On a terminal each job has a bar, drawn by rich. Elsewhere its status is printed as a line every
    `LINE_SECONDS`, and before each message.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, JobState] = {}
        self.bars = _Bars() if sys.stderr.isatty() else None

    def __call__(self, event: Event) -> None:
        """Show an event; if the terminal was closed, the work goes on without output."""
        try:
            self._show_event(event)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            drop_lost_terminal()

    def _show_event(self, event: Event) -> None:
        if isinstance(event, Message):
            self._print_message(event.text)
        elif isinstance(event, Started):
            self.jobs[event.job] = JobState(event)
        elif event.job in self.jobs:
            self._update(self.jobs[event.job], event)

    def _update(self, job: JobState, event: Advanced | Measured | Finished) -> None:
        if isinstance(event, Finished):
            self._finish(job)
            return
        if isinstance(event, Advanced):
            job.advance(event)
        else:
            job.summary, job.is_new = event.summary, True
        if time.monotonic() - job.shown_at >= (REFRESH_SECONDS if self.bars else LINE_SECONDS):
            self._show(job)

    def _show(self, job: JobState) -> None:
        job.shown_at, job.is_new = time.monotonic(), False
        if self.bars:
            self.bars.show(job)
        else:
            _print_line(job.summary or f"{job.job}: {job.status()}")

    def _finish(self, job: JobState) -> None:
        del self.jobs[job.job]
        if self.bars:
            self.bars.remove(job)
        elif job.summary and job.is_new:
            _print_line(job.summary)

    def _print_message(self, text: str) -> None:
        if self.bars:
            self.bars.print(text)
            return
        for job in self.jobs.values():
            if job.summary and job.is_new:
                self._show(job)
        _print_line(text)

    def close(self) -> None:
        """Clear the bars; what was printed above them stays."""
        for job in list(self.jobs.values()):
            self._finish(job)


class _Bars:
    """The live bars of rich, which is imported when the first bar is shown, because the import is slow."""

    def __init__(self) -> None:
        self.live: Bars | None = None
        self.ids: dict[str, TaskID] = {}

    def show(self, job: JobState) -> None:
        """Draw a job's bar and status."""
        if self.live is None:
            self.live = _create_bars()
            self.live.start()
        if job.job not in self.ids:
            self.ids[job.job] = self.live.add_task(job.job, total=job.total, status="")
        self.live.update(self.ids[job.job], completed=job.done, status=job.status(), refresh=True)

    def remove(self, job: JobState) -> None:
        """Remove a job's bar, and end the live display with the last one."""
        if self.live is not None and (number := self.ids.pop(job.job, None)) is not None:
            self.live.remove_task(number)
            if self.ids:
                self.live.refresh()
            else:
                self.live.stop()
                self.live = None

    def print(self, text: str) -> None:
        """Print a line above the bars."""
        console = self.live.console if self.live else _console()
        console.print(text, markup=False)


@contextmanager
def show_progress() -> Iterator[None]:
    """Show progress on stderr while the block runs, unless there is a listener already."""
    if has_listeners():
        yield
        return
    display = ProgressDisplay()
    try:
        with listening(display):
            yield
    finally:
        display.close()


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _create_bars() -> Bars:
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    status = Column(ratio=1, overflow="fold")
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[status]}", markup=False, table_column=status),
        console=_console(),
        auto_refresh=False,  # A thread would not survive when the data loader forks.
        transient=True,
        expand=True,
        redirect_stdout=False,  # stdout holds results, and stderr shows the bars.
        redirect_stderr=False,
    )


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def format_duration(seconds: float) -> str:
    """Return a duration as minutes and seconds, `2:05`, or with hours, `1:02:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
