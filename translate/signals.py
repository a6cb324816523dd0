"""Ctrl-C (SIGINT), SIGTERM and SIGHUP: the exceptions they raise, and the exit codes 130, 143 and 129."""

from __future__ import annotations

import errno
import os
import signal
from types import FrameType

interrupted = False  # True once a signal has arrived.
HANGUP = getattr(signal, "SIGHUP", None)  # The terminal was closed; Windows has no such signal.
TERMINATING = tuple(number for number in (signal.SIGTERM, HANGUP) if number is not None)
SIGNALS = (signal.SIGINT, *TERMINATING)


class TerminatedError(KeyboardInterrupt):
    """An interrupt by SIGTERM or SIGHUP, whose number is its argument."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal: raise KeyboardInterrupt, or TerminatedError on SIGTERM and SIGHUP.

    Also set `interrupted`, because a library that is being imported may swallow the exception.
    """
    global interrupted
    interrupted = True
    if number == HANGUP:
        drop_lost_terminal()
    raise TerminatedError(number) if number in TERMINATING else KeyboardInterrupt


def handle_signals() -> None:
    """Let signals raise an interrupt, unless they are ignored (as SIGHUP is by nohup) or handled already."""
    for number in SIGNALS:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        if signal.getsignal(number) is default:
            signal.signal(number, raise_interrupt)


def ignore_signals() -> None:
    """Ignore all signals that would interrupt, while the process ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def drop_lost_terminal() -> None:
    """Discard what will be written to a terminal that was closed, where each write would raise an error."""
    for stream in (1, 2):
        try:
            os.ttyname(stream)
        except OSError as error:
            if error.errno == errno.EIO:
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, stream)
                os.close(nothing)


def exit_code(error: BaseException) -> int:
    """Return the exit code for an interrupt or an error caused by one: 128 and the number of the signal."""
    for cause in (error, error.__cause__):
        if isinstance(cause, TerminatedError):
            return 128 + int(cause.args[0])
    return 128 + signal.SIGINT
