"""Ctrl-C (SIGINT) and SIGTERM, and the exit codes that they end with."""

from __future__ import annotations

import signal
from types import FrameType

interrupted = False  # by one of them


class TerminatedError(KeyboardInterrupt):
    """SIGTERM asked for the end."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Raise what ends the program, and note it: a library that is being imported may swallow it."""
    global interrupted
    interrupted = True
    raise TerminatedError if number == signal.SIGTERM else KeyboardInterrupt


def exit_code(error: BaseException) -> int:
    """Return what a shell expects: 130 after SIGINT, 143 after SIGTERM; also of what one of them caused."""
    terminated = any(isinstance(e, TerminatedError) for e in (error, error.__cause__))
    return 128 + (signal.SIGTERM if terminated else signal.SIGINT)
