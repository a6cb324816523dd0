"""Freed memory is kept while a run trains, and returned after it."""

from __future__ import annotations

import resource
from collections.abc import Callable

import psutil
import pytest
import torch

from translate import heap

MIB = 2**20

pytestmark = pytest.mark.skipif(not heap._glibc(), reason="only glibc can be told to keep memory")


def faults(work: Callable[[], object]) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def layers() -> None:
    for _ in range(10):
        torch.zeros(64 * MIB, dtype=torch.uint8)


def test_memory_is_kept_and_returned() -> None:
    by_itself = faults(layers)
    heap.keep()
    try:
        layers()
        assert faults(layers) < by_itself / 10
        held = psutil.Process().memory_info().rss
    finally:
        heap.release()
    assert psutil.Process().memory_info().rss < held - 32 * MIB
    assert faults(layers) > by_itself / 10
