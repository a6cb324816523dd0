"""Memory limits for inference: how much memory an image, or its tiles, may take; running out of memory."""

from __future__ import annotations

import psutil
import torch

GIB = 2**30
MAX_UNTILED = 4 * GIB  # In bytes: the limit for an image that runs untiled, however large the memory is.
MAX_TILED = 1.25 * GIB  # In bytes: the limit for tiles, so that memory stays flat as images grow.


def total_memory(device: torch.device) -> float:
    """Return the memory that a device has, in use or not, in bytes, rounded down to a power of two.

    An image in tiles differs a little from one in a single piece. By the free memory, the output would depend
    on what else runs.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    else:
        total = psutil.virtual_memory().total
    return 2.0 ** (max(total, 1).bit_length() - 1)


def memory_limits(device: torch.device) -> tuple[float, float]:
    """Return the memory in bytes that an untiled image, and that tiles, may take on a device.

    Half of the rounded total is a quarter of a machine that is sold as 16 GB: the rest is for the system and
    other programs.
    """
    half = total_memory(device) / 2
    return min(half, MAX_UNTILED), min(half, MAX_TILED)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of Python, torch or another engine says that memory does not suffice."""
    text = str(error).lower()
    is_about_memory = (
        "memory" in text and "illegal memory access" not in text
    )  # The latter is a bug of a kernel.
    return isinstance(error, MemoryError) or is_about_memory
