"""CUDA graphs for inference: the kernels of a forward pass are recorded once, and launched by one call.

A small image keeps a GPU busy for less time than Python takes to launch the kernels of all layers one by one.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from translate.inference.runtime.cudnn import repeatable_kernels
from translate.inference.runtime.formats import first_line
from translate.models.capture import capture_graph

log = logging.getLogger(__name__)

Forward = Callable[[Tensor], Tensor]
# Records a forward pass on inputs of the shape of an example; returns a function that replays it.
Capture = Callable[[Forward, Tensor], Forward]

RECENT = 64  # The number of latest forward passes by which shapes are judged.
# A shape is captured when it occurs this often among the latest forward passes: a capture takes as long as
# several forward passes, so it does not pay off for images of all-different sizes.
CAPTURE_AFTER = 8
MAX_GRAPHS = 4  # Each graph keeps the memory of a forward pass.
# Larger inputs, as of more than 512 x 512 pixels, keep the GPU busy for longer than launching takes.
MAX_GRAPH_VALUES = 2**20

_one_capture = threading.Lock()  # CUDA allows one capture at a time in a process.


class GraphedForwards:
    """Forward passes of a network, as graphs where a shape recurs. Any number of threads may call it.

    A graph launches the kernels that the forward pass launches, so its output is the same to the bit.

    Args:
        capture: records a forward pass.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture: Capture | None = capture
        self._lock = threading.Lock()
        self._recent: deque[Hashable] = deque(maxlen=RECENT)
        self._graphs: OrderedDict[Hashable, Forward] = OrderedDict()  # The least recently used one is first.

    def __call__(self, name: str, forward: Forward, x: Tensor) -> Tensor:
        """Run a forward pass; return a new tensor.

        Args:
            name: identifies `forward` among the functions that this object runs.
        """
        key = name, x.dtype, x.shape
        with repeatable_kernels(x.device):
            # The lock is held for the replay, because a graph has one input and one output in memory.
            with self._lock:
                self._recent.append(key)
                if key not in self._graphs and self._is_worthwhile(key, x):
                    self._add(key, forward, x)
                if key in self._graphs:
                    self._graphs.move_to_end(key)
                    return self._graphs[key](x)
            return forward(x)

    def _is_worthwhile(self, key: Hashable, x: Tensor) -> bool:
        """Return whether a graph of this shape pays off, and there is a place for it."""
        is_small = x.numel() <= MAX_GRAPH_VALUES
        if self._capture is None or not is_small or self._recent.count(key) < CAPTURE_AFTER:
            return False
        # Sizes that take turns would otherwise push each other out, with a capture each time.
        return len(self._graphs) < MAX_GRAPHS or next(iter(self._graphs)) not in self._recent

    def _add(self, key: Hashable, forward: Forward, x: Tensor) -> None:
        """Capture a graph; if that fails, run without graphs from now on."""
        assert self._capture is not None
        if len(self._graphs) == MAX_GRAPHS:
            self._graphs.popitem(last=False)  # It is none of the recent ones, so the GPU has finished it.
        try:
            with _one_capture:
                self._graphs[key] = self._capture(forward, x)
        except Exception as error:  # The forward pass itself raises what is wrong with the input.
            self._capture = None
            # The end of a failed capture fails in its turn.
            log.info("the network runs without CUDA graphs: %s", first_line(error.__context__ or error))


def find_capture(device: torch.device) -> Capture | None:
    """Return how a device records forward passes; None if it does not."""
    return CUDAGraphForward if device.type == "cuda" else None


class CUDAGraphForward:
    """A forward pass that is recorded as a CUDA graph, with its input and its output in memory."""

    def __init__(self, forward: Forward, x: Tensor) -> None:
        self._device = x.device
        self._input = x.clone()
        self._graph = torch.cuda.CUDAGraph()
        self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            forward(self._input)  # The libraries set up their workspaces for this stream before the capture.
        with capture_graph(self._graph, stream, torch.cuda.graph_pool_handle()):
            self._output = forward(self._input)
        torch.cuda.current_stream(self._device).wait_stream(stream)

    def __call__(self, x: Tensor) -> Tensor:
        """Replay the graph on `x`; return a new tensor."""
        stream = torch.cuda.current_stream(self._device)
        # Another thread may have started the last replay on a stream of its own.
        stream.wait_event(self._done)
        self._input.copy_(x)
        self._graph.replay()
        y = self._output.clone()
        self._done.record(stream)
        return y
