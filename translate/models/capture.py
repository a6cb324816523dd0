"""Capture work of a GPU as a CUDA graph, and undo what a failed capture leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch


@contextmanager
def capture_graph(graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream, pool: Any) -> Iterator[None]:
    """Capture what the context launches, without running it.

    If that fails, the process can go on, and capture other graphs.

    Args:
        stream: the current stream inside the context.
        pool: the memory of the graph, from `torch.cuda.graph_pool_handle()`. Torch refuses one whose graphs
            have all been released.
    """
    generator = torch.cuda.default_generators[stream.device_index]
    before = generator.clone_state()
    try:
        with (
            torch.cuda.stream(stream),  # If capturing fails, `graph` does not restore the stream before it.
            # `thread_local`: other threads, such as one that loads images, may allocate memory meanwhile.
            torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"),
        ):
            yield
    except BaseException:
        # Otherwise the random generator and the allocator stay in capture mode. In torch 2.10, the allocator
        # then never reuses memory that two streams have used, such as that of uploaded batches.
        generator.graphsafe_set_state(before)
        with suppress(RuntimeError):  # Later versions have ended it.
            torch._C._cuda_endAllocateToPool(stream.device_index, pool)
        raise
