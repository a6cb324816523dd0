"""The memory allocator reuses freed memory inside `retain_freed_memory`, and only there."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="page faults are counted on Unix only")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can retain memory")

# A new process, because the heap of this one holds free blocks of other tests.
SCRIPT = """
import ctypes, json, resource, sys, types
import torch
from translate.allocator import retain_freed_memory

def count_page_faults(size=2**26):  # 64 MiB are more than glibc retains by default
    for _ in range(10):
        torch.zeros(size, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(size, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

counts = {"before": count_page_faults()}
real, real_dll = sys.platform, ctypes.CDLL
sys.platform = "win32"
with retain_freed_memory():
    counts["Windows"] = count_page_faults()
sys.platform, ctypes.CDLL = real, lambda name: types.SimpleNamespace()
with retain_freed_memory():
    counts["musl"] = count_page_faults()
ctypes.CDLL = real_dll
with retain_freed_memory():
    with retain_freed_memory():
        counts["inside"] = count_page_faults()
    counts["after the inner context"] = count_page_faults()
counts["after"] = count_page_faults(2**27)  # The heap may still hold a free block of 64 MiB.
print(json.dumps(counts))
"""


@pytest.fixture(scope="module")
def page_faults() -> dict[str, int]:
    """Return the page faults of allocating and freeing 10 blocks, by where they were counted."""
    process = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    counts: dict[str, int] = json.loads(process.stdout)
    return counts


def test_freed_memory_is_reused_without_page_faults(page_faults: dict[str, int]) -> None:
    assert page_faults["inside"] < page_faults["before"] / 10


def test_memory_is_returned_to_the_system_after_the_outermost_context(page_faults: dict[str, int]) -> None:
    assert page_faults["after the inner context"] < page_faults["after"] / 10


@pytest.mark.parametrize("system", ["Windows", "musl"])
def test_other_c_libraries_are_left_alone(system: str, page_faults: dict[str, int]) -> None:
    assert page_faults[system] > page_faults["before"] / 2
