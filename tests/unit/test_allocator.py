"""Freed memory is kept where that is asked for."""

from __future__ import annotations

import resource

import pytest
import torch

from translate import allocator

BLOCK = 2**26  # bytes, more than glibc ever keeps by itself


def layers() -> None:
    for _ in range(10):
        torch.zeros(BLOCK, dtype=torch.uint8)


class Library:
    """Notes how it is set."""

    def __init__(self) -> None:
        self.settings: dict[int, int] = {}

    def mallopt(self, name: int, value: int) -> None:
        self.settings[name] = value


@pytest.mark.skipif(not allocator._glibc(), reason="only glibc can be told to keep memory")
def test_what_is_freed_is_taken_again_without_page_faults() -> None:
    with allocator.retain_freed_memory():
        layers()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        layers()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < BLOCK / resource.getpagesize(), "not even one block's"


def test_the_outermost_alone_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(allocator, "_glibc", lambda: library)
    with allocator.retain_freed_memory():
        kept = dict(library.settings)
        with allocator.retain_freed_memory():
            pass
        assert library.settings == kept
    assert kept[allocator.TRIM_THRESHOLD] == -1
    assert library.settings[allocator.TRIM_THRESHOLD] > 0
    assert library.settings[allocator.MMAP_MAX] > 0


def test_other_libraries_go_on_as_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    with allocator.retain_freed_memory():
        assert torch.zeros(3).sum() == 0
