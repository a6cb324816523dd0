"""Ctrl-C and SIGTERM, taken at the end of a step instead of in its middle."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from translate import distributed, signals

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """A context in which a first signal only sets `signal`; a second one interrupts as usual.

    The processes that torchrun started get from it what the terminal sends to all of them already, and it
    ends them itself after half a minute: there, a second signal means no more than the first.

    Attributes:
        signal: the number of the signal that asked for the end; 0 while none did.

    Raises:
        KeyboardInterrupt: one came before, and was swallowed.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if signals.interrupted:
            raise KeyboardInterrupt
        if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
            self.handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore_handlers()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            return
        self.signal = number
        if distributed.world_size() == 1:
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")
            self._restore_handlers()
        elif distributed.rank() == 0:
            os.write(2, b"\nstopping after this step\n")

    def _restore_handlers(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
