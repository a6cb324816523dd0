"""Ctrl-C stops training after the current step, even if a library swallowed its exception."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from translate import signals
from translate.training.interrupt import Interrupt


@pytest.fixture(autouse=True)
def signal_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the handlers of the command line during a test."""
    monkeypatch.setattr(signals, "interrupted", False)
    before = {
        number: signal.signal(number, signals.raise_interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ctrl_c_is_noted_and_the_second_interrupts() -> None:
    with Interrupt() as interrupt:
        assert not interrupt.signal
        press_ctrl_c()
        assert interrupt.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_a_ctrl_c_whose_exception_was_swallowed_interrupts_before_the_first_step() -> None:
    with suppress(BaseException):
        press_ctrl_c()
    with pytest.raises(KeyboardInterrupt), Interrupt():
        pytest.fail("the first step runs")
