"""Ctrl-C and SIGTERM, taken at the end of a step instead of in its middle."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from translate import processes

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Within, a first Ctrl-C only sets `asked`; a second one interrupts as usual.

    To the processes that torchrun started it hands on what the terminal sends to all of them already,
    and ends them itself after half a minute: there, a second one means no more than the first.

    Raises:
        KeyboardInterrupt: one came before, and was swallowed.
    """

    def __init__(self) -> None:
        self.asked = False
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if processes.interrupted:
            raise KeyboardInterrupt
        if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
            self.before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            return
        self.asked = True
        if processes.count() == 1:
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")
            self._give_back()
        elif processes.rank() == 0:
            os.write(2, b"\nstopping after this step\n")

    def _give_back(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
