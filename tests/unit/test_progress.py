"""Progress events, their listeners, and their display in a log and on a terminal."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import re
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from translate.display import show_progress
from translate.progress import (
    Advanced,
    Event,
    Finished,
    Measured,
    Message,
    Started,
    emit,
    has_listeners,
    listening,
    message,
    track,
)


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """The events that are emitted during a test."""
    received: list[Event] = []
    with listening(received.append):
        yield received


def test_track_yields_the_items_and_counts_them(events: list[Event]) -> None:
    assert list(track(iter("ab"), 2, "reading", unit="files")) == ["a", "b"]
    assert events == [
        Started("reading", 2, "files"),
        Advanced("reading", 1),
        Advanced("reading", 2),
        Finished("reading"),
    ]


def test_track_finishes_the_job_if_the_work_fails(events: list[Event]) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        list(track(items(), 2, "reading"))
    assert events == [Started("reading", 2), Advanced("reading", 1), Finished("reading")]


def test_track_finishes_the_job_if_the_loop_is_left(events: list[Event]) -> None:
    for _ in track(iter("ab"), 2, "reading"):
        break
    assert events == [Started("reading", 2), Finished("reading")]


def test_all_listeners_get_each_event_once() -> None:
    outer: list[Event] = []
    inner: list[Event] = []
    with listening(outer.append):
        with listening(inner.append):
            message("both")
        message("outer only")
    message("nobody")
    assert inner == [Message("both")]
    assert outer == [Message("both"), Message("outer only")]
    assert not has_listeners()


def test_records_of_the_loggers_of_the_package_become_messages(events: list[Event]) -> None:
    logging.getLogger("translate.training").warning("loss %s is NaN at step %d", "g", 3)
    logging.getLogger("another.package").warning("not of this package")
    assert events == [Message("loss g is NaN at step 3")]


def test_the_logger_is_as_before_when_nobody_listens_any_more(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("translate")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with listening(lambda event: None):
        message("for the listener, not for the root logger")
    with pytest.raises(KeyboardInterrupt), listening(lambda event: None):
        raise KeyboardInterrupt
    assert (logger.level, logger.propagate, logger.handlers) == before
    assert caplog.messages == []


def test_without_a_listener_messages_are_records_of_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="translate")
    message("checking the dataset")
    emit(Started("reading"))
    assert caplog.record_tuples == [("translate", logging.INFO, "checking the dataset")]


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def advance(clock: Clock, job: str, start: int, stop: int, **event: float) -> None:
    """Advance a job from one count to another, one unit per second."""
    for done in range(start + 1, stop + 1):
        clock.now += 1
        emit(Advanced(job, done, **event))


def test_a_log_shows_count_rate_and_time_left_every_15_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        emit(Started("decoding", 3760, "photos"))
        advance(clock, "decoding", 0, 44)
        emit(Finished("decoding"))
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        "decoding: 15/3760 photos  1 photos/s  1:02:25 left",
        "decoding: 30/3760 photos  1 photos/s  1:02:10 left",
    ]
    assert output.out == ""


def test_a_log_shows_part_of_a_unit_and_no_time_left_without_a_total(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        emit(Started("images"))
        clock.now += 20
        emit(Advanced("images", 0.5))
    assert capsys.readouterr().err == "images: 0.5 images  0.025 images/s\n"


def test_the_rate_counts_neither_what_was_skipped_nor_what_was_done_before(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        emit(Started("images", 100, done=40))
        advance(clock, "images", 60, 80, skipped=20)
    assert "75/100 images  1 images/s  0:25 left" in capsys.readouterr().err


def test_the_rate_is_that_of_the_last_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        emit(Started("images", 10_000))
        advance(clock, "images", 0, 100)
        for done in range(110, 1200, 10):
            clock.now += 1
            emit(Advanced("images", done))
    assert "  10 images/s  " in capsys.readouterr().err.splitlines()[-1]


def test_a_high_rate_has_no_exponent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        emit(Started("images", 100_000))
        clock.now += 20
        emit(Advanced("images", 12_000))
    assert "  600 images/s  " in capsys.readouterr().err


def test_a_summary_takes_the_place_of_the_count_and_comes_before_messages(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        emit(Started("training", 100, "steps"))
        emit(Measured("training", {"loss": 3.0}, "step 1  loss 3"))
        message("saved step 1")
        message("no new summary")
        clock.now += 15
        emit(Measured("training", {"loss": 2.0}, "step 2  loss 2"))
        emit(Measured("training", {"loss": 1.0}, "step 3  loss 1"))
        emit(Finished("training"))
    assert capsys.readouterr().err.splitlines() == [
        "step 1  loss 3",
        "saved step 1",
        "no new summary",
        "step 2  loss 2",
        "step 3  loss 1",
    ]


def test_nothing_is_shown_to_a_program_that_listens_itself(
    clock: Clock, events: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress():
        message("for the program")
        emit(Started("images", 100))
        advance(clock, "images", 0, 20)
    assert capsys.readouterr().err == ""
    assert events[0] == Message("for the program")
    assert len(events) == 22


class Terminal:
    """A terminal, and the lines that it shows.

    Attributes:
        stderr: writes to it.
    """

    def __init__(self, columns: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stderr = os.fdopen(slave, "w", encoding="utf-8")
        self.output, self.marks = bytearray(), 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:  # The other end was closed.
                return

    def close(self) -> None:
        self.stderr.close()
        self.reader.join(10)
        os.close(self.master)

    def lines(self) -> list[str]:
        """Return the lines that the terminal shows, without empty ones at the end."""
        self.stderr.write("\0")  # When this arrives, all that was written before has arrived.
        self.stderr.flush()
        self.marks += 1
        while self.output.count(b"\0") < self.marks:
            time.sleep(0.001)
        screen, row = [""], 0
        for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n\0]+", self.output.decode()):
            if token == "\n":
                row += 1
                screen += [""] * (row == len(screen))
            elif token.endswith("A") and token.startswith("\x1b"):  # cursor up
                row -= int(token[2:-1] or 1)
            elif token == "\x1b[2K":  # erase the line
                screen[row] = ""
            elif not token.startswith(("\x1b", "\r")):
                screen[row] += token
        while screen and not screen[-1].strip():
            screen.pop()
        return [line.rstrip() for line in screen]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(columns=90)
    yield terminal
    terminal.close()


def test_a_terminal_shows_a_bar_for_each_job_below_the_messages(clock: Clock, terminal: Terminal) -> None:
    with redirect_stderr(terminal.stderr), show_progress():
        message("first [message]")
        emit(Started("training", 100, "steps"))
        emit(Started("images", 50))
        advance(clock, "images", 0, 10)
        clock.now += 1
        emit(Measured("training", summary="step 3  loss 0.5"))
        message("second message")
        first, second, *bars = terminal.lines()
        assert (first, second) == ("first [message]", "second message")
        images, training = bars
        assert images.startswith("images ")
        assert "10/50 images  1 images/s  0:40 left" in images
        assert training.startswith("training ")
        assert "step 3  loss 0.5" in training
        emit(Finished("images"))
        (bar,) = terminal.lines()[2:]
        assert bar.startswith("training ")
    assert terminal.lines() == ["first [message]", "second message"]


def test_an_error_clears_the_bars_of_a_terminal(clock: Clock, terminal: Terminal) -> None:
    def fail() -> None:
        with show_progress():
            emit(Started("images", 50))
            advance(clock, "images", 0, 10)
            assert len(terminal.lines()) == 1
            raise KeyboardInterrupt

    with redirect_stderr(terminal.stderr), pytest.raises(KeyboardInterrupt):
        fail()
    assert terminal.lines() == []
    assert not has_listeners()


def test_a_job_without_progress_shows_no_bar(clock: Clock, terminal: Terminal) -> None:
    with redirect_stderr(terminal.stderr), show_progress():
        emit(Started("images", 50))
        emit(Finished("images"))
        assert terminal.lines() == []
