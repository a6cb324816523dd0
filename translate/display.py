"""The display of progress events on stderr: bars on a terminal, and a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from translate.progress import Advanced, Event, Finished, Measured, Message, Started, has_listeners, listening

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

REFRESH_SECONDS = 0.2  # between two refreshes of the bars on a terminal
LINE_SECONDS = 15.0  # between two lines of a task in a log
RATE_SECONDS = 60.0  # of the past, over which the rate is averaged


class TaskState:
    """The state of a task, as its events tell it, with its rate and the time that is left."""

    def __init__(self, event: Started) -> None:
        self.task, self.total, self.unit, self.done = event.task, event.total, event.unit, event.done
        self.summary = ""
        self.shown = time.monotonic()  # when its status was shown last
        self.is_new = False  # whether the status has changed since
        self._samples = deque([(self.shown, event.done)])  # times, and units that took work

    def advance(self, event: Advanced) -> None:
        """Note how many units are done."""
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
        """Return the task's own summary; without one, the count, the rate and the time that is left."""
        if self.summary:
            return self.summary
        total = "" if self.total is None else f"/{self.total:.0f}"
        parts = [f"{self.done:.{0 if self.done == int(self.done) else 1}f}{total} {self.unit}"]
        if rate := self.rate():
            parts.append(f"{rate:.2g} {self.unit}/s")
            parts += [f"{clock((self.total - self.done) / rate)} left"] if self.total is not None else []
        return "  ".join(parts)


class ProgressDisplay:
    """A listener that shows progress events on stderr.

    On a terminal each task has a bar, drawn by rich. Elsewhere its status is written as a line every 15
    seconds, and before each message.
    """

    def __init__(self) -> None:
        self.tasks: dict[str, TaskState] = {}
        self.bars = _Bars() if sys.stderr.isatty() else None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Message):
            self._print_message(event.text)
        elif isinstance(event, Started):
            self.tasks[event.task] = TaskState(event)
        elif event.task in self.tasks:
            self._update(self.tasks[event.task], event)

    def _update(self, task: TaskState, event: Advanced | Measured | Finished) -> None:
        if isinstance(event, Finished):
            self._finish(task)
            return
        if isinstance(event, Advanced):
            task.advance(event)
        else:
            task.summary, task.is_new = event.summary, True
        if time.monotonic() - task.shown >= (REFRESH_SECONDS if self.bars else LINE_SECONDS):
            self._show(task)

    def _show(self, task: TaskState) -> None:
        task.shown, task.is_new = time.monotonic(), False
        if self.bars:
            self.bars.show(task)
        else:
            _print_line(task.summary or f"{task.task}: {task.status()}")

    def _finish(self, task: TaskState) -> None:
        del self.tasks[task.task]
        if self.bars:
            self.bars.remove(task)
        elif task.summary and task.is_new:
            _print_line(task.summary)

    def _print_message(self, text: str) -> None:
        if self.bars:
            self.bars.print(text)
            return
        for task in self.tasks.values():
            if task.summary and task.is_new:
                self._show(task)
        _print_line(text)

    def close(self) -> None:
        """Clear the bars; what was printed above them stays."""
        for task in list(self.tasks.values()):
            self._finish(task)


class _Bars:
    """The live bars of rich. It is imported when the first one is shown, because that takes long."""

    def __init__(self) -> None:
        self.live: Bars | None = None
        self.ids: dict[str, TaskID] = {}

    def show(self, task: TaskState) -> None:
        """Draw a task's bar and status."""
        if self.live is None:
            self.live = _create_bars()
            self.live.start()
        if task.task not in self.ids:
            self.ids[task.task] = self.live.add_task(task.task, total=task.total, status="")
        self.live.update(self.ids[task.task], completed=task.done, status=task.status(), refresh=True)

    def remove(self, task: TaskState) -> None:
        """Remove a task's bar, and end the live display with the last one."""
        if self.live is not None and (number := self.ids.pop(task.task, None)) is not None:
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
def shown_progress() -> Iterator[None]:
    """Show progress on stderr while the block runs, unless somebody listens already."""
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
        auto_refresh=False,  # A thread would have to survive the fork of the loader's processes.
        transient=True,
        expand=True,
        redirect_stdout=False,  # stdout holds results, and stderr shows the bars.
        redirect_stderr=False,
    )


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, `2:05`, or with hours, `1:02:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
