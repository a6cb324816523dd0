"""Weight updates: gradient accumulation, mixed-precision loss scaling, all-reduce and gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.training.step.distributed import ProcessGroup
from translate.training.step.reducer import GradientReducer, when_gradient_is_complete

# Gradient values that may be pending in memory before the optimizer steps during backward.
MAX_PENDING_GRADIENTS = 2**23


class OptimizerUpdate:
    """The `update` that the stepper passes to a trainer's step (see `methods.trainer.Update`).

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
        self.optimizers, self.scaler = optimizers, scaler
        self.device, self.clip, self.accumulation_steps = device, c.clip_grad, c.accumulation_steps
        self.stepped: set[str] = set()  # The optimizers that have stepped since the last `scaler.update`.
        is_distributed = group.size > 1
        self.reducers = {
            name: GradientReducer(_weights(optimizer), group)
            for name, optimizer in optimizers.items()
            if is_distributed
        }
        # Synchronized batch norm all-reduces during backward as well, and all processes must start their
        # all-reduces in one order.
        self.overlaps = is_distributed and not c.sync_norm
        # All-reduce, the norm of clipping, and the check for Inf need all gradients, and an accumulated
        # gradient is complete only after the last microbatch. On a GPU, optimizer steps on a few weights each
        # would only launch more kernels.
        needs_all_gradients = is_distributed or c.clip_grad is not None or scaler.is_enabled()
        self.step_in_backward = (
            device.type == "cpu" and self.accumulation_steps == 1 and not needs_all_gradients
        )

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Take one optimizer step on a loss, together with the gradients of earlier `accumulate` calls."""
        optimizer = self.optimizers[name]
        # A weight that steps during backward needs its whole gradient by then, and a step that may be undone
        # (`when`) is taken as a whole.
        if self.step_in_backward and when is None and not _gradients(optimizer):
            with _step_in_backward(optimizer):
                self.accumulate(name, loss)
            torch.clear_autocast_cache()
            return
        self.accumulate_last(name, loss)
        self.apply(name, when)

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Run backward now, and add the gradient of a loss to those of this optimizer's weights."""
        if name in self.stepped and not any(map(_gradients, self.optimizers.values())):
            self.update_loss_scale()  # A second step of this optimizer, which the scaler takes for a new one.
        if name in self.reducers:
            self.reducers[name].wait()  # Gradients that are on their way must not change.
        weights = [weight for weight in _weights(self.optimizers[name]) if weight.requires_grad]
        # Autocast is for the forward pass: backward computes in the data types that the forward pass chose.
        # The mean over a batch is the mean of the means over its microbatches, hence the division.
        with torch.autocast(self.device.type, enabled=False):
            torch.autograd.backward(self.scaler.scale(loss / self.accumulation_steps), inputs=weights)

    def accumulate_last(self, name: str, loss: Tensor) -> None:
        """Accumulate for the last time before the optimizer steps, and meanwhile send complete gradients."""
        with self.reducers[name].overlap() if self.overlaps else nullcontext():
            self.accumulate(name, loss)

    def apply(self, name: str, when: Tensor | None = None) -> None:
        """Take one optimizer step along the mean gradient of all processes, and clear the gradients."""
        optimizer = self.optimizers[name]
        if name in self.reducers:
            self.reducers[name].reduce()
        # Gradient clipping. The norm is that of the unscaled gradient.
        if self.clip is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(_weights(optimizer), self.clip)
        if when is None:
            self.scaler.step(optimizer)
        else:
            _step_where(when, optimizer, lambda: self.scaler.step(optimizer))
        self.stepped.add(name)
        optimizer.zero_grad()
        # The cache holds 16-bit copies of the weights before this step.
        torch.clear_autocast_cache()

    def update_loss_scale(self) -> None:
        """Adapt the loss scale of mixed precision, once all optimizers of a step have stepped.

        Until then the scale is constant, so that gradients that wait for their optimizer's step are unscaled
        by the scale that they were computed with.
        """
        if self.stepped:
            self.scaler.update()
            self.stepped.clear()

    def abandon(self) -> None:
        """Forget a step that failed: its gradients, and which optimizers have stepped."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        for reducer in self.reducers.values():
            reducer.in_flight.clear()
        self.stepped.clear()
        if self.scaler.is_enabled():
            self.scaler.scale(torch.zeros((), device=self.device))  # Creates the scale, if there is none.
            self.scaler.update(self.scaler.get_scale())  # Keeps the scale, and forgets all else.


class MicrobatchUpdate:
    """The `update` of a step on microbatches (gradient accumulation): optimizers step after the last one.

    With `when`, an optimizer steps only if the flags of all microbatches are true.
    """

    def __init__(self, update: OptimizerUpdate) -> None:
        self.update, self.is_last = update, False  # Whether the step is on the last microbatch.
        self.pending: dict[str, Tensor | None] = {}  # The optimizers to step at the end, with their `when`.

    def split(self, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        """Yield the microbatches of a batch; take a step on each before requesting the next one."""
        count = self.update.accumulation_steps
        parts = list(zip(*(tensor.chunk(count) for tensor in batch.values()), strict=True))
        for number, tensors in enumerate(parts, start=1):
            self.is_last = number == len(parts)
            yield dict(zip(batch, tensors, strict=True))

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Accumulate the gradient of a loss, and note that the optimizer is to step."""
        if self.is_last:
            self.update.accumulate_last(name, loss)
        else:
            self.accumulate(name, loss)
        flags = [flag for flag in (self.pending.get(name), when) if flag is not None]
        self.pending[name] = torch.stack(flags).all() if flags else None

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Run backward now, and add the gradient of a loss to those of this optimizer's weights."""
        self.update.accumulate(name, loss)

    def apply(self) -> None:
        """Step all optimizers that the microbatches updated."""
        for name, when in self.pending.items():
            self.update.apply(name, when)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for parameters in optimizer.param_groups for weight in parameters["params"]]


def _gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return the gradients that were accumulated since the last step."""
    return [weight.grad for weight in _weights(optimizer) if weight.grad is not None]


@torch.no_grad()
def _step_where(when: Tensor, optimizer: torch.optim.Optimizer, step: Callable[[], object]) -> None:
    """Take an optimizer step, and undo it if `when` is false.

    `when` is a boolean scalar on the device; the host never reads it.
    """
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
    """Step groups of weights during the backward pass, once their gradients are complete.

    Each step frees those gradients, so that they are never all in memory. This is safe because backward does
    not read a weight again after its gradient is complete.
    """
    pending = 0  # Gradient values in memory whose weights have not stepped yet.

    def step() -> None:
        nonlocal pending
        pending = 0
        optimizer.step()
        optimizer.zero_grad()

    def add_pending(weight: Tensor) -> None:
        nonlocal pending
        pending += weight.numel()
        if pending >= MAX_PENDING_GRADIENTS:
            step()

    with when_gradient_is_complete(_weights(optimizer), add_pending):
        yield
    step()
