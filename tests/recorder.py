"""A recorder that stands in for a CUDA graph on a CPU: it records a step's operations, and replays them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from translate.training.step.state import StepState


class Recorder(TorchDispatchMode):
    """A dispatch mode that records the operations of a step, and replays them as a CUDA graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        """Repeat the operations, with the results in the same memory as before."""
        for func, args, kwargs, out in self.calls:
            results = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(results), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class RecordingCapturer:
    """A capturer for the CPU; what capturing changes is undone, because a CUDA graph runs nothing then.

    Attributes:
        state: the state that the captured steps change.
        captured: number of graphs.
        replays: number of replays.
    """

    state: StepState

    def __init__(self) -> None:
        self.captured = self.replays = 0

    def warm_up(self, run: Callable[[], Tensor]) -> Tensor:
        return run()

    def capture(self, run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        before, recorder = self.state.snapshot(), Recorder()
        with recorder:
            result = run()
        self.state.restore_snapshot(before)
        self.captured += 1

        def replay() -> None:
            self.replays += 1
            recorder.replay()

        return replay, result
