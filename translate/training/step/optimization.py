"""How a loss moves the weights: gradients, their accumulation, scaling, averaging and clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.training.step.distributed import ProcessGroup

GRADIENT_BUCKET = 2**23  # weights of which the gradients are there at once


class Updates:
    """Moves the weights of a trainer: the `update` that its step is given.

    Args:
        optimizers: by the name that the step gives.
    """

    def __init__(
        self,
        optimizers: dict[str, torch.optim.Optimizer],
        c: TrainConfig,
        device: torch.device,
        group: ProcessGroup,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self.optimizers, self.group, self.scaler = optimizers, group, scaler
        self.device, self.clip, self.microbatches = device, c.clip_grad, c.accumulation_steps
        needs_all = group.size > 1 or c.clip_grad is not None or scaler.is_enabled()
        # On a GPU, optimizer steps of a few weights each would only add kernels to launch.
        self.in_backward = device.type == "cpu" and self.microbatches == 1 and not needs_all

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Take one step of an optimizer down a loss, with the gradients accumulated before."""
        optimizer = self.optimizers[name]
        if self.in_backward and when is None and not _gradients(optimizer):
            with _step_in_backward(optimizer):
                self.accumulate(name, loss)
            torch.clear_autocast_cache()
            return
        self.accumulate(name, loss)
        self.apply(name, when)

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Add the gradient of a loss to those that are there, of this optimizer's weights alone."""
        weights = [weight for weight in _weights(self.optimizers[name]) if weight.requires_grad]
        with torch.autocast(self.device.type, enabled=False):
            torch.autograd.backward(self.scaler.scale(loss / self.microbatches), inputs=weights)

    def apply(self, name: str, when: Tensor | None = None) -> None:
        """Take one optimizer step along the mean of all processes' gradients, and forget these."""
        optimizer = self.optimizers[name]
        self.group.average(_gradients(optimizer))
        if self.clip is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_weights(optimizer), self.clip)
        if when is None:
            self.scaler.step(optimizer)
        else:
            _step_where(when, optimizer, lambda: self.scaler.step(optimizer))
        self.scaler.update()
        optimizer.zero_grad()
        torch.clear_autocast_cache()  # it holds 16-bit copies of the weights as they were


class Microbatches:
    """The `update` of a step on a part of the batch: gradients accumulate until the last part's."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.flags: dict[str, Tensor | None] = {}  # of the optimizers that are to step at the end

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Accumulate the gradient of a loss, and remember that the optimizer is to step."""
        self.accumulate(name, loss)
        flags = [flag for flag in (self.flags.get(name), when) if flag is not None]
        self.flags[name] = torch.stack(flags).all() if flags else None

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Add the gradient of a loss to those that are there."""
        self.updates.accumulate(name, loss)

    def apply(self) -> None:
        """Take the steps of all optimizers that were asked for."""
        for name, when in self.flags.items():
            self.updates.apply(name, when)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for parameters in optimizer.param_groups for weight in parameters["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return those that were accumulated and not used yet."""
    return [weight.grad for weight in _weights(optimizer) if weight.grad is not None]


@torch.no_grad()
def _step_where(when: Tensor, optimizer: torch.optim.Optimizer, step: Callable[[], object]) -> None:
    """Take a step whose effect on weights and optimizer state is undone where `when` is false."""
    before = {weight: (weight.clone(), _state_tensors(optimizer, weight)) for weight in _weights(optimizer)}
    step()
    for weight, (value, state) in before.items():
        weight.copy_(torch.where(when, weight, value))
        for name, new in optimizer.state[weight].items():
            if isinstance(new, Tensor):  # what the step made itself starts from 0
                new.copy_(torch.where(when, new, state.get(name, torch.zeros_like(new))))


def _state_tensors(optimizer: torch.optim.Optimizer, weight: Tensor) -> dict[str, Tensor]:
    state = optimizer.state.get(weight, {})
    return {name: value.clone() for name, value in state.items() if isinstance(value, Tensor)}


@contextmanager
def _step_in_backward(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Let a backward pass step some weights as soon as it has their gradients, and forget these.

    Never are all gradients there; backward has no more use for a weight by then.
    """
    accumulated = 0

    def step() -> None:
        nonlocal accumulated
        accumulated = 0
        optimizer.step()
        optimizer.zero_grad()

    def count(weight: Tensor) -> None:
        nonlocal accumulated
        accumulated += weight.numel()
        if accumulated >= GRADIENT_BUCKET:
            step()

    hooks = [w.register_post_accumulate_grad_hook(count) for w in _weights(optimizer)]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    step()
