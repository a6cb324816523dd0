"""What runs a generator: its device, its precision, and its engine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate import heap
from translate.inference.engines import find_engine, together
from translate.models import Model, Precision, pick_device, pick_precision


class Runner:
    """A model's generator for one direction, as this machine runs it.

    Args:
        direction, device, precision, engine, compile: as those of `Translator`.

    Raises:
        UsageError: the model does not go in that direction, or this machine lacks the device or engine.
    """

    def __init__(
        self, model: Model, direction: str | None, *, device: str, precision: str, engine: str, compile: bool
    ) -> None:
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.generator: nn.Module = model.generator(direction).to(self.device).eval()
        self._one_by_one = model.config.mask or model.config.color == "Lab"
        if engine == "auto" and self._one_by_one:
            engine = "torch"  # one small network a photo: no other engine is worth its start
        self._engine = find_engine(engine, model, direction, self.precision)
        self._quick = self.precision.weights(self.generator)
        self._compiled = torch.compile(self._quick) if compile else self._quick

    @property
    def engine(self) -> str:
        """What runs the network: `torch`, `openvino` or `onnxruntime`."""
        return self._engine.name if self._engine else "torch"

    @property
    def together(self) -> int:
        """How many small pictures of one size go through the network at once."""
        return 1 if self._engine or self._one_by_one else together(self.generator)

    def __call__(self, windows: Tensor, *, exact: bool = False) -> Tensor:
        """The network on (N, C, H, W) float32 in [-1, 1]; `exact` is in float32, by torch."""
        if self._engine and not exact:
            return self._engine(windows)
        network = self.generator if exact else self._compiled
        with heap.kept(), self.arithmetic(exact).autocast():
            out: Tensor = network(windows.to(self.device))
        return out.float()

    def module(self, exact: bool) -> nn.Module:
        """The network to be run part by part, in `arithmetic(exact)`."""
        return self.generator if exact else self._quick

    def arithmetic(self, exact: bool) -> Precision:
        """Deep pictures are computed in float32, whatever the precision."""
        return Precision(self.device, torch.float32) if exact else self.precision
