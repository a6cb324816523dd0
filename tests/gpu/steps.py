"""Steps of any method on any device, and how far apart the weights are that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from translate.training.step.stepper import Stepper

STEPS = 20  # Of the run that the steps are part of, as in test_graph.py.
DRAWS = (torch.rand, torch.randn, torch.randint)
Weights = dict[str, Tensor]


class HostRandom(TorchFunctionMode):
    """A mode that draws all random numbers on the CPU, so that each device gets the same ones."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in DRAWS:
            device = kwargs.get("device")
            return func(*args, **{**kwargs, "device": "cpu"}).to(device)
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return x
        kept = torch.rand(x.shape, device="cpu") >= p
        return x * kept.to(x.device) / (1 - p)


def weights(stepper: Stepper) -> Weights:
    """Return a copy of the weights of all networks and of their EMA, by name, on the CPU."""
    named: Mapping[str, Tensor] = {
        **dict(stepper.trainer.named_parameters()),
        **{f"ema.{name}": value for name, value in stepper.ema.named_parameters()},
    }
    return {name: value.detach().to("cpu", torch.float32, copy=True) for name, value in named.items()}


def moments(optimizers: Mapping[str, Any]) -> Weights:
    """Return the running averages of gradients and of their sizes in the states of optimizers, by name.

    Other than a weight, they hardly change by the rounding error of a gradient that is nearly 0.
    """
    return {
        f"{name}.{number}.{key}": (value.sqrt() if "sq" in key else value).to("cpu", torch.float32, copy=True)
        for name, optimizer in optimizers.items()
        for number, values in optimizer["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor) and value.dim()
    }


def distance(a: Weights, b: Weights, start: Weights | None = None) -> float:
    """Return the distance of `a` from `b`, relative to the way from `start`, or from 0, to `b`."""
    assert a.keys() == b.keys()
    start = start or {name: torch.zeros_like(value) for name, value in b.items()}

    def norm(first: Weights, second: Weights) -> float:
        return sum(float((first[name] - second[name]).square().sum()) for name in b) ** 0.5

    return norm(a, b) / norm(b, start)


def take_steps(
    stepper: Stepper, batch: Callable[[int], dict[str, Tensor]], steps: range
) -> list[dict[str, float]]:
    """Take steps; return the losses of each, by name."""
    history = []
    for step in steps:
        losses = stepper.step(batch(step), steps_done=step, fraction=step / STEPS)
        history.append({name: loss.item() for name, loss in losses.items()})
    return history
