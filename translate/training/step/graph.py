"""CUDA graphs: capture the whole training step once, and launch it as one from then on.

At small batches a GPU waits for Python, which launches each kernel of a step by itself. A graph holds all of
them: every forward and backward pass, the optimizers and the EMA.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import shorten
from typing import Protocol

import torch
from torch import Tensor

from translate.config import TrainConfig
from translate.methods.trainer import Trainer
from translate.models import Precision
from translate.models.capture import capture_graph
from translate.training.step.distributed import ProcessGroup
from translate.training.step.recompute import has_dropout

Losses = dict[str, Tensor]
Batch = dict[str, Tensor]

# Steps of a variant that run eagerly first: they create the optimizers' state, and choose cuDNN's algorithms.
WARM_UP_STEPS = 3
# Images of more sizes than this, within so many steps, are not worth a graph for each of them.
MAX_SIZES, SIZE_STEPS = 4, 100


class Capturer(Protocol):
    """A capturer runs a function on a device, or captures it to replay it later."""

    def warm_up(self, run: Callable[[], Tensor]) -> Tensor:
        """Run a function as it will be captured, and return its result."""

    def capture(self, run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Capture a function, without running it.

        Returns:
            A function that replays it, and its result, which each replay overwrites.
        """

    def synchronize(self) -> None:
        """Wait until all that was replayed has run, so that graphs can be released."""


class GraphedStep:
    """A step that is captured once for each variant and each size of images, and then replayed.

    The first steps of each variant run eagerly. They are steps of the run, like all others.

    Args:
        run: takes a step on a batch; it reads no tensor on the host.
        capturer: captures `run` on the device.

    Attributes:
        failure: why steps run eagerly from now on; empty as long as they are captured.
    """

    def __init__(self, run: Callable[[Batch], Losses], capturer: Capturer, device: torch.device) -> None:
        self.run, self.capturer, self.device = run, capturer, device
        self.steps: dict[tuple[Hashable, Hashable], _CapturedStep] = {}  # By variant and size.
        self.count = 0  # Of all steps.
        self.last_use: dict[Hashable, int] = {}  # The step at which images of each size were last seen.
        self.failure = ""

    def __call__(self, variant: Hashable, batch: Batch) -> Losses:
        """Take a step on a batch, (N, C, H, W) each; return its losses, by name.

        If capturing fails, the step is not taken, `failure` is set, and the error is raised.
        """
        size = tuple((name, tensor.shape, tensor.dtype) for name, tensor in batch.items())
        self.count += 1
        self.last_use[size] = self.count
        if len(self.last_use) > MAX_SIZES:
            self._forget_old_sizes()
        if len(self.last_use) > MAX_SIZES:
            self.failure = f"the images have more than {MAX_SIZES} sizes"
            return self.run(batch)
        if (variant, size) not in self.steps:
            self.steps[variant, size] = _CapturedStep.allocate(batch, self.device)
        step = self.steps[variant, size]
        step.load(batch)
        if step.graph is None and step.warm_ups < WARM_UP_STEPS:
            step.warm_ups += 1
            return step.losses(self.capturer.warm_up(lambda: step.run(self.run)))
        if step.graph is None:
            try:
                step.graph = self.capturer.capture(lambda: step.run(self.run))
            except Exception as error:
                self.failure = _describe(error)
                raise
        replay, result = step.graph
        replay()
        return step.losses(result.clone())

    def _forget_old_sizes(self) -> None:
        """Release the graphs of sizes that are out of use, as after a stage of progressive growing."""
        self.last_use = {size: step for size, step in self.last_use.items() if step > self.count - SIZE_STEPS}
        self.capturer.synchronize()
        self.steps = {key: step for key, step in self.steps.items() if key[1] in self.last_use}

    def clear(self) -> None:
        """Release the graphs, so that each variant is captured anew."""
        self.capturer.synchronize()
        self.steps.clear()


def _describe(error: Exception) -> str:
    """Return why a capture failed, in one line.

    No variable of `GraphedStep` may refer to the error, whose traceback refers to that variable in turn. Such
    a cycle would keep the failed step, and torch warns of a backward pass beside one on another stream.
    """
    cause = error.__context__ or error  # The end of a failed capture fails in its turn.
    return shorten(str(cause).strip().partition("\n")[0] or type(cause).__name__, 200)


@dataclass
class _CapturedStep:
    """The step of one variant: its inputs in memory that stays, and its graph once it is captured.

    Attributes:
        inputs: the batch, on the device.
        names: the names of the losses.
        graph: replays the step, and the losses of the newest replay, (len(names),) float32.
    """

    inputs: Batch
    names: Sequence[str] = ()
    warm_ups: int = 0
    graph: tuple[Callable[[], None], Tensor] | None = None

    @classmethod
    def allocate(cls, batch: Batch, device: torch.device) -> _CapturedStep:
        return cls({name: torch.empty_like(tensor, device=device) for name, tensor in batch.items()})

    def load(self, batch: Batch) -> None:
        """Copy a batch to the inputs; from page-locked memory, this does not wait for the device."""
        for name, tensor in batch.items():
            self.inputs[name].copy_(tensor, non_blocking=True)

    def run(self, run: Callable[[Batch], Losses]) -> Tensor:
        """Take the step on the inputs; return its losses as one tensor, which is cheaper to copy."""
        losses = run(self.inputs)
        self.names = list(losses)
        return torch.stack([loss.detach().float() for loss in losses.values()])

    def losses(self, result: Tensor) -> Losses:
        return dict(zip(self.names, result.unbind(), strict=True))


class CUDACapturer:
    """Captures functions as CUDA graphs, which share one pool of memory.

    Args:
        optimizers: those that the functions step.
    """

    def __init__(self, device: torch.device, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.device, self.optimizers = device, optimizers
        # Capturing needs a stream of its own, and autograd's nodes belong to the stream of their first use.
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def warm_up(self, run: Callable[[], Tensor]) -> Tensor:
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            result = run()
        current.wait_stream(self.stream)
        result.record_stream(current)
        return result

    def capture(self, run: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        graph = torch.cuda.CUDAGraph()
        with _capturable(self.optimizers), capture_graph(graph, self.stream, self.pool):
            result = run()
        return graph.replay, result

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)
        # Torch refuses to capture into a pool whose graphs have all been released.
        self.pool = torch.cuda.graph_pool_handle()


@contextmanager
def _capturable(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Tell optimizers that they are captured.

    Only inside the context: torch warns of optimizers that are `capturable` and step uncaptured.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    before = [group.get("capturable", False) for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value


def reason_against_graph(c: TrainConfig, trainer: Trainer, precision: Precision, group: ProcessGroup) -> str:
    """Return why steps on a GPU are not captured, or an empty string."""
    reasons = {
        "--graph off": c.graph == "off",
        f"{group.size} processes": group.size > 1,
        # Checkpointing reads the random state on the host, to draw the same dropout again.
        "--recompute of dropout": c.recompute and any(map(has_dropout, trainer.generators.values())),
        # The loss scaler reads on the host whether a gradient is Inf, unless the optimizer does that itself.
        "float16 with an optimizer that is not fused": precision.dtype == torch.float16
        and not all(group.get("fused") for o in trainer.optimizers.values() for group in o.param_groups),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")
