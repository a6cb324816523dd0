"""Run a generator for inference: on a device, with mixed precision, by torch or another engine."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from translate import allocator
from translate.inference.runtime.engines import find_engine, max_batch_size
from translate.inference.runtime.settings_lock import settings_read_lock
from translate.models import Model, Precision, pick_device, pick_precision
from translate.networks import Generator


class Runner:
    """A model's generator for one direction, ready for inference. Any number of threads may call it.

    Args:
        direction, device, precision, engine, compile: as in `load_predictor`.

    Attributes:
        direction: the name of the route.
        generator: the network on the device, in float32.

    Raises:
        UsageError: the model has no such direction, or the device or engine is not available.
    """

    def __init__(
        self, model: Model, direction: str | None, *, device: str, precision: str, engine: str, compile: bool
    ) -> None:
        self.direction = model.direction(direction)
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator = move_to_device(model.generator(direction), self.device)
        self._engine = find_engine(engine, model, direction, self.precision)
        self._mixed = self.precision.cast_weights(self.generator)
        self._compiled = torch.compile(self._mixed) if compile else self._mixed

    @property
    def engine(self) -> str:
        """Return the name of the engine: `torch`, `openvino` or `onnxruntime`."""
        return self._engine.name if self._engine else "torch"

    @property
    def max_batch_size(self) -> int:
        """Return how many small images of one size to run in one forward pass."""
        return 1 if self._engine else max_batch_size(self.generator)

    def __call__(self, windows: Tensor, *, exact: bool = False) -> Tensor:
        """Run the network on (N, C, H, W) float32 in [-1, 1]; `exact` runs it in float32 by torch."""
        if self._engine and not exact:
            return self._engine(windows)
        network = self.generator if exact else self._compiled
        with settings_read_lock(), allocator.retain_freed_memory(), self.precision_for(exact).autocast():
            out: Tensor = network(windows.to(self.device))
        return out.float()

    def network(self, exact: bool) -> nn.Module:
        """Return the network, for running it layer by layer under `precision_for(exact).autocast()`."""
        return self.generator if exact else self._mixed

    def precision_for(self, exact: bool) -> Precision:
        """Return float32 if `exact`, as for images of more than 8 bits, otherwise the runner's precision."""
        return Precision(self.device, torch.float32) if exact else self.precision


def move_to_device(generator: Generator, device: torch.device) -> Generator:
    """Return a generator on a device in eval mode: itself if it is there already, otherwise a copy.

    The model's generator is not moved, because another predictor or a training run may be using it.
    """
    target = torch.empty(0, device=device).device  # Resolves `cuda` to `cuda:0`.
    if all(weight.device == target for weight in generator.state_dict().values()):
        return generator.eval()
    return copy.deepcopy(generator).to(device).eval()
