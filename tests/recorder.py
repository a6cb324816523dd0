"""A recorder that stands in for a CUDA graph on a CPU, and a check that a graph could hold the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from translate.training.step.state import StepState

aten = torch.ops.aten
HOST_READS = {
    aten._local_scalar_dense.default,
    aten.item.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
}


class NoHostReads(TorchDispatchMode):
    """A dispatch mode that refuses operations whose result the host must wait for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func not in HOST_READS, f"{func} reads a tensor on the host"
        if func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default):
            indices = [index for index in args[1] if index is not None]
            assert all(index.dtype != torch.bool for index in indices), (
                "the size of a boolean index is read on the host"
            )
        return func(*args, **(kwargs or {}))


def _alias(value: Any) -> Any:
    """Return a tensor of the same memory, with a shape of its own."""
    return value.detach() if isinstance(value, Tensor) else value


class Recorder(TorchDispatchMode):
    """A dispatch mode that records the operations of a step, and replays them as a CUDA graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Recorded as they are now: `unsqueeze_` and the like change the shape of a tensor later.
        recorded = tree_map(_alias, (args, kwargs or {}))
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, *recorded, tree_map(_alias, out)))
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

    def synchronize(self) -> None:
        """Do nothing: the CPU computes at once."""
