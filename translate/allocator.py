"""Tune the C memory allocator (glibc malloc) to reuse freed memory instead of returning it to the system.

By default, glibc returns large freed blocks to the system at once. The next layer's allocation then has to
map and zero every page again (page faults), which on a CPU takes a good part of a training step, and even
more of the forward pass of a large photo.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # Parameter numbers of mallopt(3).
MIB = 2**20
_lock = threading.Lock()
_active_contexts = 0  # The number of `retain_freed_memory` contexts in all threads.


@contextmanager
def retain_freed_memory() -> Iterator[None]:
    """Keep freed memory for later allocations inside the context; without glibc, do nothing."""
    global _active_contexts
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _active_contexts += 1
        libc.mallopt(TRIM_THRESHOLD, -1)  # Never return the top of the heap to the system.
        libc.mallopt(MMAP_MAX, 0)  # Allocate on the heap only: blocks from mmap are unmapped when freed.
    try:
        yield
    finally:
        with _lock:
            _active_contexts -= 1
            if not _active_contexts:
                # glibc cannot report its current values, so set those that its dynamic thresholds end up at
                # where large blocks are freed.
                libc.mallopt(MMAP_MAX, 65536)
                libc.mallopt(MMAP_THRESHOLD, 32 * MIB)
                libc.mallopt(TRIM_THRESHOLD, 64 * MIB)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None
