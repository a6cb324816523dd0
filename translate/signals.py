"""Ctrl-C (SIGINT) and SIGTERM: the exceptions they raise, and the exit codes 130 and 143."""

from __future__ import annotations

import signal
from types import FrameType

interrupted = False  # True once a signal has arrived.


class TerminatedError(KeyboardInterrupt):
    """An interrupt by SIGTERM."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal: raise KeyboardInterrupt, or TerminatedError on SIGTERM.

    Also set `interrupted`, because a library that is being imported may swallow the exception.
    """
    global interrupted
    interrupted = True
    raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def exit_code(error: BaseException) -> int:
    """Return the exit code for an interrupt or an error caused by one: 143 after SIGTERM, otherwise 130."""
    terminated = any(isinstance(e, TerminatedError) for e in (error, error.__cause__))
    return 128 + (signal.SIGTERM if terminated else signal.SIGINT)
