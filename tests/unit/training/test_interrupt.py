"""Ctrl-C is heeded, also where a library swallows what Python raises for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from translate import signals
from translate.training.interrupt import Interrupt


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(signals, "interrupted", False)
    before = {
        number: signal.signal(number, signals.raise_interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_first_one_is_heeded_after_the_step_and_a_second_at_once() -> None:
    with Interrupt() as interrupt:
        assert not interrupt.signal
        press_ctrl_c()
        assert interrupt.signal
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


def test_one_that_was_swallowed_before_the_first_step_is_heeded() -> None:
    with suppress(BaseException):
        press_ctrl_c()
    with pytest.raises(KeyboardInterrupt), Interrupt():
        raise AssertionError("the first step")
