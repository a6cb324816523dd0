"""Freed memory is kept where that is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from translate import heap

SCRIPT = """
import resource
import torch
from translate import heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(2**26, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
with heap.kept():
    with heap.kept():
        faults()
    print(faults())
held = torch.zeros(2**26, dtype=torch.uint8)  # what is still free there is used first
print(faults())
"""


@pytest.mark.skipif(not heap._glibc(), reason="only glibc can be told to keep memory")
def test_memory_is_kept_within_and_not_beyond() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before, within, beyond = map(int, done.stdout.split())
    assert within < before / 10
    assert beyond > before / 2
