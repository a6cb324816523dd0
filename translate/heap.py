"""What the C library does with memory that was freed.

By itself glibc returns large blocks to the system, which then clears and maps each page anew for the next
layer that asks for it: up to a tenth of a step's time on a CPU.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # of mallopt(3)
MIB = 2**20


def keep() -> None:
    """From now on keep what is freed for what is allocated next; of glibc alone this can be asked."""
    if libc := _glibc():
        libc.mallopt(TRIM_THRESHOLD, -1)  # return nothing
        libc.mallopt(MMAP_MAX, 0)  # take nothing beside the heap, which would be returned


def release() -> None:
    """Return what is free, and go on as glibc does where large blocks come and go."""
    if libc := _glibc():
        libc.mallopt(MMAP_MAX, 65536)
        libc.mallopt(MMAP_THRESHOLD, 32 * MIB)
        libc.mallopt(TRIM_THRESHOLD, 64 * MIB)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") else None
