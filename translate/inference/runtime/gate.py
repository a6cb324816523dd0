"""Keep networks from running while torch's own settings are changed, which hold for all threads.

torch.export and the libraries that convert its programs switch off oneDNN, NNPACK and cuDNN meanwhile:
a network that another thread runs then would be slower, and its answer would be rounded otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_changed = threading.Condition()
_running = 0  # threads that run a network
_changing = False  # whether a thread changes settings, or waits to
_this_thread = threading.local()


@contextmanager
def running_network() -> Iterator[None]:
    """Run a network within; any number of threads may, while none changes torch's settings."""
    global _running
    if getattr(_this_thread, "inside", False):
        yield
        return
    with _changed:
        _changed.wait_for(lambda: not _changing)
        _running += 1
    try:
        with _inside():
            yield
    finally:
        with _changed:
            _running -= 1
            _changed.notify_all()


@contextmanager
def changing_settings() -> Iterator[None]:
    """Let torch's settings be changed within, and restored, while no other thread runs a network."""
    global _changing
    if getattr(_this_thread, "inside", False):
        yield
        return
    with _changed:
        _changed.wait_for(lambda: not _changing)
        _changing = True  # from now on no network starts, or those of many threads might never pause
        _changed.wait_for(lambda: not _running)
    try:
        with _inside():
            yield
    finally:
        with _changed:
            _changing = False
            _changed.notify_all()


@contextmanager
def _inside() -> Iterator[None]:
    """Mark the thread, which must not wait for itself."""
    _this_thread.inside = True
    try:
        yield
    finally:
        _this_thread.inside = False
