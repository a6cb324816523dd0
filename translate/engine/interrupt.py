"""Ctrl-C and SIGTERM, taken at the end of a step instead of in its middle."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Within, a first Ctrl-C only sets `asked`; a second one interrupts as usual.

    Args:
        told: say so.
    """

    def __init__(self, *, told: bool = True) -> None:
        self.asked, self.told = False, told
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
            self.before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.told:
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
