"""Decide how much memory an image may take."""

from __future__ import annotations

import psutil
import torch

GIB = 2**30
MAX_WHOLE = 4 * GIB  # bytes that an image in one piece may take, however many are free
MAX_TILED = 1.25 * GIB  # bytes that tiles may take, so that memory stays flat as images grow


def free_memory(device: torch.device) -> float:
    """Return the bytes free on a device, as a power of two, so that small changes decide nothing."""
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = float(psutil.virtual_memory().available)
    return 2.0 ** int(torch.tensor(max(free, 1)).log2().floor())


def memory_limits(device: torch.device) -> tuple[float, float]:
    """Return the most bytes that an image in one piece, and that tiles, may take on this machine."""
    half = free_memory(device) / 2
    return min(half, MAX_WHOLE), min(half, MAX_TILED)
