"""Progress events of long-running work, for a terminal, a log, or any other listener.

Work emits events and does not know who listens. Messages are also records of the logger `translate`: without
a listener they reach Python's logging, if a program sets the logger to INFO.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")
log = logging.getLogger("translate")


@dataclass(frozen=True)
class Started:
    """A job has started.

    Attributes:
        job: the name of the job, which is displayed and by which later events refer to it.
        total: the number of units; None if it is not known.
        unit: the name of the units, in the plural (`images`, `steps`).
        done: the units that were done before, if the job resumes.
    """

    job: str
    total: float | None = None
    unit: str = "images"
    done: float = 0.0


@dataclass(frozen=True)
class Advanced:
    """Some units of a job are done.

    Attributes:
        done: the units done since the beginning of the job, including the finished fraction of the current
            unit.
        skipped: how many of `done` took no work; the rate does not count them.
    """

    job: str
    done: float
    skipped: float = 0.0


@dataclass(frozen=True)
class Measured:
    """A job has new metrics.

    Attributes:
        values: the metrics by name, such as losses.
        summary: one line with the metrics and the state of the job, for display.
    """

    job: str
    values: Mapping[str, float] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True)
class Message:
    """A line of text for display."""

    text: str


@dataclass(frozen=True)
class Finished:
    """A job has ended, successfully or not."""

    job: str


Event = Started | Advanced | Measured | Message | Finished
Listener = Callable[[Event], None]
_listeners: list[Listener] = []
# A function that takes the fraction of an image or a file that is done, in (0, 1]; what it raises ends it.
Progress = Callable[[float], None]


def emit(event: Event) -> None:
    """Pass an event to all listeners, in the order in which they were added."""
    for listener in tuple(_listeners):
        listener(event)


def message(text: str) -> None:
    """Log a line of text, which listeners get as a `Message`."""
    log.info(text)


def track(items: Iterator[Item], total: int, job: str, unit: str = "images") -> Iterator[Item]:
    """Yield the items unchanged, and report each one as a finished unit of a job."""
    emit(Started(job, total, unit))
    try:
        for done, item in enumerate(items, 1):
            yield item
            emit(Advanced(job, done))
    finally:
        emit(Finished(job))


def ignore_progress(fraction: float) -> None:
    """Do nothing with the progress: the default of callers that do not show it."""


def has_listeners() -> bool:
    """Return whether there is a listener."""
    return bool(_listeners)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Pass all events of this process to a listener while the block runs.

    Records of the logger `translate` become `Message` events and are not passed on to the root logger.
    """
    handler, level, propagate = _MessageHandler(), log.level, log.propagate
    first = not _listeners
    _listeners.append(listener)
    if first:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    try:
        yield
    finally:
        _listeners.remove(listener)
        if first:
            log.removeHandler(handler)
            log.setLevel(level)
            log.propagate = propagate


class _MessageHandler(logging.Handler):
    """A logging handler that emits each record as a message."""

    def emit(self, record: logging.LogRecord) -> None:
        emit(Message(record.getMessage()))
