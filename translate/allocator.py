"""What the C library does with memory that was freed.

By itself glibc returns large blocks to the system, which then clears and maps each page anew for the next
layer that asks for it: on a CPU a good part of a step, and more of a large photo's forward.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # of mallopt(3)
MIB = 2**20
_lock = threading.Lock()
_entered = 0  # contexts of `retain_freed_memory`, of all threads


@contextmanager
def retain_freed_memory() -> Iterator[None]:
    """Keep what is freed within for what is allocated next; of glibc alone this can be asked."""
    global _entered
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _entered += 1
        libc.mallopt(TRIM_THRESHOLD, -1)  # return nothing
        libc.mallopt(MMAP_MAX, 0)  # take nothing beside the heap, which would be returned
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if not _entered:  # what glibc comes to by itself where large blocks come and go
                libc.mallopt(MMAP_MAX, 65536)
                libc.mallopt(MMAP_THRESHOLD, 32 * MIB)
                libc.mallopt(TRIM_THRESHOLD, 64 * MIB)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None
