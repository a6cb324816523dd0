"""Ctrl-C, SIGTERM and SIGHUP during training: the run stops at the end of the current step, and is saved."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from translate import distributed, signals


class Interrupt:
    """A context in which the first signal only sets `signal`, and a second one interrupts as usual.

    Under torchrun a second signal does nothing more, because a process may get the same Ctrl-C twice: from
    the terminal and from torchrun, which kills its processes after half a minute anyway.

    Attributes:
        signal: number of the signal that asked to stop; 0 if there was none.

    Raises:
        KeyboardInterrupt: a signal came before, and a library swallowed its exception.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if signals.interrupted:
            raise KeyboardInterrupt
        # Python allows signal handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            self.handlers = {number: signal.signal(number, self._handle) for number in _signals_to_handle()}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore_handlers()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            return
        self.signal = number
        if number == signals.HANGUP:
            signals.drop_lost_terminal()
        # A signal handler must not use Python's buffered streams, so write to stderr directly.
        if distributed.world_size() == 1:
            os.write(2, b"\nstopping after this step; a second signal stops at once, without saving\n")
            self._restore_handlers()
        elif distributed.rank() == 0:
            os.write(2, b"\nstopping after this step\n")

    def _restore_handlers(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def _signals_to_handle() -> list[int]:
    """Return all signals that stop a run, without SIGHUP if it is ignored, as by nohup."""
    numbers = list(signals.SIGNALS)
    if signals.HANGUP and signal.getsignal(signals.HANGUP) is signal.SIG_IGN:
        numbers.remove(signals.HANGUP)
    return numbers
