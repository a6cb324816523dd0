"""Progress of long work as one stream of events, for a terminal, a log, or any other listener.

Work emits events and does not know who listens. Messages are records of the logger `translate` as well, so
that a program without a listener gets them by Python's logging.
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
    """A task has started.

    Attributes:
        task: its name, by which later events refer to it; shown to people.
        total: how many units there are; None if that is not known.
        unit: of the counts, in the plural (`images`, `steps`).
        done: units that were done before, where a task goes on.
    """

    task: str
    total: float | None = None
    unit: str = "images"
    done: float = 0.0


@dataclass(frozen=True)
class Advanced:
    """Some units of a task are done.

    Attributes:
        done: units done since the beginning of the task, with the part of one that is in work.
        skipped: those of them that took no work; the rate does not count them.
    """

    task: str
    done: float
    skipped: float = 0.0


@dataclass(frozen=True)
class Measured:
    """A task has new metrics.

    Attributes:
        values: the metrics by name, such as losses.
        summary: the same and the state of the task, on one line for people.
    """

    task: str
    values: Mapping[str, float] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True)
class Message:
    """A line for people."""

    text: str


@dataclass(frozen=True)
class Finished:
    """A task has ended, successfully or not."""

    task: str


Event = Started | Advanced | Measured | Message | Finished
Listener = Callable[[Event], None]
_listeners: list[Listener] = []


def emit(event: Event) -> None:
    """Hand an event to all listeners, those that came first before later ones."""
    for listener in tuple(_listeners):
        listener(event)


def message(text: str) -> None:
    """Log a line for people, which listeners get as a `Message`."""
    log.info(text)


def track(items: Iterator[Item], total: int, task: str, unit: str = "images") -> Iterator[Item]:
    """Yield the items unchanged, and emit the events of a task that each of them advances by one unit."""
    emit(Started(task, total, unit))
    try:
        for done, item in enumerate(items, 1):
            yield item
            emit(Advanced(task, done))
    finally:
        emit(Finished(task))


def has_listeners() -> bool:
    """Return whether anybody listens."""
    return bool(_listeners)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand all events of this process to a listener while the block runs.

    Records of the logger `translate` reach it as messages, and no handler of the root logger.
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
