"""A readers-writer lock around torch's global settings: running a network reads them, conversion writes them.

torch.export and the libraries that convert its programs turn off oneDNN, NNPACK and cuDNN for the whole
process while they work. A network that runs in another thread meanwhile would be slower and would round
differently. A thread that holds the lock passes both functions without waiting for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_condition = threading.Condition()
_readers = 0  # The number of threads that hold the read lock.
_writer = False  # True while a thread holds the write lock or waits for the readers to finish.
_thread = threading.local()


@contextmanager
def settings_read_lock() -> Iterator[None]:
    """Hold the lock to run a network: any number of threads may, unless one changes torch's settings."""
    global _readers
    if getattr(_thread, "holds_lock", False):
        yield
        return
    with _condition:
        _condition.wait_for(lambda: not _writer)
        _readers += 1
    try:
        with _mark_thread():
            yield
    finally:
        with _condition:
            _readers -= 1
            _condition.notify_all()


@contextmanager
def settings_write_lock() -> Iterator[None]:
    """Hold the lock to change torch's settings and restore them, while no other thread runs a network."""
    global _writer
    if getattr(_thread, "holds_lock", False):
        yield
        return
    with _condition:
        _condition.wait_for(lambda: not _writer)
        # Block new readers from here on: with many threads, there might never be a moment without one.
        _writer = True
        _condition.wait_for(lambda: not _readers)
    try:
        with _mark_thread():
            yield
    finally:
        with _condition:
            _writer = False
            _condition.notify_all()


@contextmanager
def _mark_thread() -> Iterator[None]:
    """Mark the thread as a holder of the lock, so that it does not wait for itself."""
    _thread.holds_lock = True
    try:
        yield
    finally:
        _thread.holds_lock = False
