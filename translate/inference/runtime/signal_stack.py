"""Restore the signal stack of a thread, which OpenVINO replaces."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _SignalStack(ctypes.Structure):
    """The struct `stack_t` of sigaltstack(2)."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def restored_signal_stack() -> Iterator[None]:
    """Give this thread the signal stack back that it had before the block.

    OpenVINO gives the thread that compiles a model a signal stack, and frees it with the model. If another
    thread frees the model, the first thread keeps the address of freed memory, and the next signal that it
    handles (Ctrl-C, or the end of a child process) crashes the process.
    """
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None)
    before = _SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
