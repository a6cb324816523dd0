"""Run a generator: on its device, in its precision, by its engine."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from translate import allocator
from translate.inference.runtime.engines import find_engine, max_batch_size
from translate.inference.runtime.gate import running_network
from translate.models import Model, Precision, pick_device, pick_precision
from translate.networks import Generator


class Runner:
    """A model's generator for one direction, as this machine runs it. Any number of threads may call it.

    Args:
        direction, device, precision, engine, compile: as those of `load_predictor`.

    Attributes:
        direction: the name of the route.
        generator: the network on the device, in float32.

    Raises:
        UsageError: the model does not go in that direction, or this machine lacks the device or engine.
    """

    def __init__(
        self, model: Model, direction: str | None, *, device: str, precision: str, engine: str, compile: bool
    ) -> None:
        self.direction = model.direction(direction)
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator = move_to_device(model.generator(direction), self.device)
        self._engine = find_engine(engine, model, direction, self.precision)
        self._fast = self.precision.weights(self.generator)
        self._compiled = torch.compile(self._fast) if compile else self._fast

    @property
    def engine(self) -> str:
        """What runs the network: `torch`, `openvino` or `onnxruntime`."""
        return self._engine.name if self._engine else "torch"

    @property
    def max_batch_size(self) -> int:
        """How many small images of one size the network may be given at once."""
        return 1 if self._engine else max_batch_size(self.generator)

    def __call__(self, windows: Tensor, *, exact: bool = False) -> Tensor:
        """Run the network on (N, C, H, W) float32 in [-1, 1]; `exact` is in float32, by torch."""
        if self._engine and not exact:
            return self._engine(windows)
        network = self.generator if exact else self._compiled
        with running_network(), allocator.retain_freed_memory(), self.arithmetic(exact).autocast():
            out: Tensor = network(windows.to(self.device))
        return out.float()

    def module(self, exact: bool) -> nn.Module:
        """Return the network, to be run layer by layer in `arithmetic(exact)`."""
        return self.generator if exact else self._fast

    def arithmetic(self, exact: bool) -> Precision:
        """Return the precision: float32 where `exact`, as for images of more than 8 bits, else the asked."""
        return Precision(self.device, torch.float32) if exact else self.precision


def move_to_device(generator: Generator, device: torch.device) -> Generator:
    """Return a generator on a device and in eval mode: itself where it is there already, else a copy.

    The model's own stays where it is, because another predictor, or a training run, may be using it there.
    """
    there = torch.empty(0, device=device).device  # cuda:0 for cuda
    if all(weight.device == there for weight in generator.state_dict().values()):
        return generator.eval()
    return copy.deepcopy(generator).to(device).eval()
