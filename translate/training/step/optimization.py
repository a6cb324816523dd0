"""Weight updates: gradient accumulation, mixed-precision loss scaling, all-reduce and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.training.step.distributed import ProcessGroup

GRADIENT_BUCKET = 2**23  # Weights whose gradients are in memory before they are updated in the backward pass.


class Updates:
    """The `update` that the engine passes to a trainer's step (see `methods.trainer.Update`).

    Args:
        optimizers: by the name that the step passes.
        scaler: the loss scaler of mixed precision; it is enabled for float16 only.
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
        self.device, self.clip, self.accumulation_steps = device, c.clip_grad, c.accumulation_steps
        needs_all_gradients = group.size > 1 or c.clip_grad is not None or scaler.is_enabled()
        # On a GPU, optimizer steps on a few weights each would only launch more kernels.
        self.step_in_backward = (
            device.type == "cpu" and self.accumulation_steps == 1 and not needs_all_gradients
        )

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Take one step of an optimizer on a loss, with the gradients that were accumulated before."""
        optimizer = self.optimizers[name]
        if self.step_in_backward and when is None and not _gradients(optimizer):
            with _step_in_backward(optimizer):
                self.accumulate(name, loss)
            torch.clear_autocast_cache()
            return
        self.accumulate(name, loss)
        self.apply(name, when)

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Add the gradient of a loss to the gradients of this optimizer's weights."""
        weights = [weight for weight in _weights(self.optimizers[name]) if weight.requires_grad]
        with torch.autocast(self.device.type, enabled=False):
            torch.autograd.backward(self.scaler.scale(loss / self.accumulation_steps), inputs=weights)

    def apply(self, name: str, when: Tensor | None = None) -> None:
        """Take one optimizer step along the mean gradient of all processes, and clear the gradients."""
        optimizer = self.optimizers[name]
        self.group.all_reduce_mean(_gradients(optimizer))
        # Gradient clipping. The norm is that of the unscaled gradient.
        if self.clip is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_weights(optimizer), self.clip)
        if when is None:
            self.scaler.step(optimizer)
        else:
            _step_where(when, optimizer, lambda: self.scaler.step(optimizer))
        self.scaler.update()
        optimizer.zero_grad()
        # The cache holds 16-bit copies of the weights before this step.
        torch.clear_autocast_cache()


class MicrobatchUpdates:
    """The `update` of a step on a microbatch (gradient accumulation): optimizers step after the last one."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.flags: dict[str, Tensor | None] = {}  # The optimizers to step at the end, with their `when`.

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Accumulate the gradient of a loss, and note that the optimizer is to step."""
        self.accumulate(name, loss)
        flags = [flag for flag in (self.flags.get(name), when) if flag is not None]
        self.flags[name] = torch.stack(flags).all() if flags else None

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Add the gradient of a loss to the gradients of this optimizer's weights."""
        self.updates.accumulate(name, loss)

    def apply(self) -> None:
        """Step all optimizers that the microbatches updated."""
        for name, when in self.flags.items():
            self.updates.apply(name, when)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for parameters in optimizer.param_groups for weight in parameters["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return the gradients that were accumulated since the last step."""
    return [weight.grad for weight in _weights(optimizer) if weight.grad is not None]


@torch.no_grad()
def _step_where(when: Tensor, optimizer: torch.optim.Optimizer, step: Callable[[], object]) -> None:
    """Take an optimizer step, and undo it where `when` is false, without reading it on the host."""
    before = {weight: (weight.clone(), _state_tensors(optimizer, weight)) for weight in _weights(optimizer)}
    step()
    for weight, (value, state) in before.items():
        weight.copy_(torch.where(when, weight, value))
        for name, new in optimizer.state[weight].items():
            if isinstance(new, Tensor):  # State that the step has just created started from 0.
                new.copy_(torch.where(when, new, state.get(name, torch.zeros_like(new))))


def _state_tensors(optimizer: torch.optim.Optimizer, weight: Tensor) -> dict[str, Tensor]:
    """Return copies of the optimizer's state tensors of a weight, by name."""
    state = optimizer.state.get(weight, {})
    return {name: value.clone() for name, value in state.items() if isinstance(value, Tensor)}


@contextmanager
def _step_in_backward(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Step weights during the backward pass, as soon as their gradients are complete, and free these.

    So the gradients of all weights are never in memory at once. The backward pass does not use a weight again
    after its gradient is complete.
    """
    accumulated = 0  # Weights whose gradients are in memory.

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
