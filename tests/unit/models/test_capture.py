"""What a failed capture of a CUDA graph leaves behind, shown by stand-ins for CUDA's own state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from translate.models.capture import capture_graph

POOL = (0, 7)


class Cuda:
    """The state of CUDA that a capture changes: the current stream, the random generator, the allocator."""

    def __init__(self) -> None:
        self.streams, self.is_drawing, self.pools = ["default"], False, set[tuple[int, int]]()
        self.ends_by_itself = False  # Whether a failed capture ends for the allocator.

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        before = list(self.streams)
        self.streams.append(stream.name)
        try:
            yield
        finally:
            self.streams = before

    @contextmanager
    def graph(self, graph: Any, *, pool: Any, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        self.streams.append(stream.name)
        self.is_drawing = True
        self.pools.add(pool)
        try:
            yield
        except Exception:  # Its end fails in its turn.
            if self.ends_by_itself:
                self.pools.remove(pool)
            self.fail("operation failed due to a previous error during capture")
        self.is_drawing = False
        self.pools.remove(pool)
        self.streams.pop()

    def fail(self, text: str) -> None:
        raise RuntimeError(text)

    def clone_state(self) -> bool:
        return self.is_drawing

    def graphsafe_set_state(self, state: bool) -> None:
        self.is_drawing = state

    def end_allocate(self, device: int, pool: tuple[int, int]) -> None:
        if pool not in self.pools:
            self.fail("endAllocatePool: not currently recording to mempool_id")
        self.pools.remove(pool)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    cuda = Cuda()
    monkeypatch.setattr(torch.cuda, "stream", cuda.stream)
    monkeypatch.setattr(torch.cuda, "graph", cuda.graph)
    monkeypatch.setattr(torch.cuda, "default_generators", [None, cuda])
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", cuda.end_allocate, raising=False)
    return cuda


def capture(error: Exception | None = None) -> None:
    stream: Any = SimpleNamespace(name="side", device_index=1)
    graph: Any = object()
    with capture_graph(graph, stream, POOL):
        if error:
            raise error


@pytest.mark.parametrize("ends_by_itself", [False, True])  # As in torch 2.10, and as in later versions.
def test_a_failed_capture_leaves_nothing_behind(ends_by_itself: bool, cuda: Cuda) -> None:
    cuda.ends_by_itself = ends_by_itself
    cause = ValueError("a tensor is read on the host")
    with pytest.raises(RuntimeError, match="previous error") as caught:
        capture(cause)
    assert caught.value.__context__ is cause
    assert (cuda.streams, cuda.is_drawing, cuda.pools) == (["default"], False, set())


def test_a_capture_ends(cuda: Cuda) -> None:
    capture()
    assert (cuda.streams, cuda.is_drawing, cuda.pools) == (["default"], False, set())
