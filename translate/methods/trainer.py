"""The contract of a trainer: networks, optimizers, and one step of training."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from translate.networks import Generator


@dataclass(frozen=True)
class StepProgress:
    """Where a run stands before a step.

    Python numbers choose the kind of a step (`Trainer.variant`); what enters its arithmetic is taken from
    the tensors, which stay where they are in memory, so that a captured step sees them change.

    Attributes:
        step: steps taken before.
        epoch: epochs finished before.
        fraction: of the run that is behind, 0 to 1.
        step_tensor, fraction_tensor: the same as tensors of the device, () float32.
    """

    step: int = 0
    epoch: int = 0
    fraction: float = 0.0
    step_tensor: Tensor = field(default_factory=lambda: torch.zeros(()))
    fraction_tensor: Tensor = field(default_factory=lambda: torch.zeros(()))


class Update(Protocol):
    """How a step moves its weights: hides zero_grad, loss scaling, gradient clipping and averaging."""

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Take one step of the optimizer `name` down `loss`, with the gradients accumulated before.

        The loss moves the weights of this optimizer only, whichever networks it went through;
        `freeze_weights` spares the others' gradients. With `--accumulate`, all optimizers step after the
        last microbatch.

        Args:
            when: () bool; where it is false, weights and optimizer state stay as they were.
        """

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Add the gradient of `loss` for the next update of that name.

        What the loss holds in memory is free once it is handed over.
        """


class Trainer(nn.Module):
    """A method: its networks, how they are optimised and what one step of training is.

    A step is capturable: it reads no tensor on the host, does not branch on a tensor's value, and draws
    randomness from torch's generators or gets it in the batch. Its constants are buffers or are made on the
    batch's device, which is torch's meta device where memory is estimated.

    Attributes:
        optimizers: by the name that `step` gives to `update`.
        generators: what a finished model consists of, by name.
    """

    optimizers: dict[str, torch.optim.Optimizer]
    generators: dict[str, Generator]

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks that are trained, by name; frozen backbones (`losses.freeze`) have no parameters."""
        return {name: child for name, child in self.named_children() if any(True for _ in child.parameters())}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Train on a batch of (N, C, H, W) in [-1, 1]; return the losses, scalars by name."""
        raise NotImplementedError

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the kind of the next step, where steps differ (a new level, a regularisation now and then).

        Of each kind the engine keeps one graph or compiled program.
        """
        return 0


@contextmanager
def freeze_weights(*networks: nn.Module) -> Iterator[None]:
    """Let the networks pass gradients through and gather none; afterwards they have the flags of before."""
    flags = [(weight, weight.requires_grad) for network in networks for weight in network.parameters()]
    for weight, _ in flags:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, flag in flags:
            weight.requires_grad_(flag)
