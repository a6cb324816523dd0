"""Memory limits for inference: how much memory an image, or its tiles, may take; running out of memory."""

from __future__ import annotations

import psutil
import torch

GIB = 2**30
MAX_UNTILED = 4 * GIB  # In bytes: the limit for an image that runs untiled, however much memory is free.
MAX_TILED = 1.25 * GIB  # In bytes: the limit for tiles, so that memory stays flat as images grow.


def free_memory(device: torch.device) -> float:
    """Return the free memory of a device in bytes, rounded down to a power of two.

    The rounding keeps small changes of the free memory from changing the tiling.
    """
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = float(psutil.virtual_memory().available)
    return 2.0 ** int(torch.tensor(max(free, 1)).log2().floor())


def memory_limits(device: torch.device) -> tuple[float, float]:
    """Return the memory in bytes that an untiled image, and that tiles, may take on a device."""
    half = free_memory(device) / 2
    return min(half, MAX_UNTILED), min(half, MAX_TILED)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of Python, torch or another engine says that memory does not suffice."""
    return isinstance(error, MemoryError) or "memory" in str(error).lower()
