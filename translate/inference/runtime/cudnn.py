"""Settings under which a network on a GPU gives the same output to the bit each time, and can be captured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.backends import cudnn

_lock = threading.Lock()
_active_contexts = 0  # The number of `deterministic_convolutions` contexts in all threads.
_settings = False, False  # `deterministic` and `benchmark` before the first of them.


@contextmanager
def repeatable_kernels(device: torch.device) -> Iterator[None]:
    """Run networks by kernels that repeat their output to the bit, and without autocast's cache of weights.

    A graph must not read a weight from that cache, which is emptied when the caller's context ends.
    """
    no_cache = torch.autocast(device.type, enabled=False, cache_enabled=False)
    with deterministic_convolutions(), no_cache:
        yield


@contextmanager
def deterministic_convolutions() -> Iterator[None]:
    """Let cuDNN choose kernels by the shape alone, and only those that repeat their output to the bit.

    The settings hold for the whole process, so the last thread to leave restores them.
    """
    global _active_contexts, _settings
    with _lock:
        if not _active_contexts:
            _settings = cudnn.deterministic, cudnn.benchmark
            cudnn.deterministic, cudnn.benchmark = True, False
        _active_contexts += 1
    try:
        yield
    finally:
        with _lock:
            _active_contexts -= 1
            if not _active_contexts:
                cudnn.deterministic, cudnn.benchmark = _settings
