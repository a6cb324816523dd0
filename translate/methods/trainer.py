"""The interface of a trainer: its networks, its optimizers, and one step of training."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor, nn

from translate.networks import Generator


@dataclass(frozen=True)
class StepProgress:
    """The progress of a run as a trainer sees it at the start of a step.

    The Python numbers select the variant of a step (`Trainer.variant`). Arithmetic takes the tensors, which
    stay in place on the device, so that a captured step sees them change. The training loop itself counts
    steps and seconds by `TrainingProgress`.

    Attributes:
        step: number of steps taken before.
        epoch: number of finished epochs.
        fraction: finished fraction of the run, 0 to 1.
        is_last_microbatch: whether the step ends with this batch. With gradient accumulation, the trainer's
            `step` is called once for each microbatch of a step.
        step_tensor, fraction_tensor: the same as tensors on the device, () float32.
    """

    step: int = 0
    epoch: int = 0
    fraction: float = 0.0
    is_last_microbatch: bool = True
    step_tensor: Tensor = field(default_factory=lambda: torch.zeros(()))
    fraction_tensor: Tensor = field(default_factory=lambda: torch.zeros(()))

    @classmethod
    def on(cls, device: torch.device) -> StepProgress:
        """Return the progress at the start of a run, with its tensors on a device."""
        return cls(step_tensor=torch.zeros((), device=device), fraction_tensor=torch.zeros((), device=device))


class Update(Protocol):
    """The function by which a step updates its weights.

    It hides backward, mixed-precision loss scaling, gradient clipping, gradient accumulation, the all-reduce
    of distributed training, and zero_grad.
    """

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        """Take one step of the optimizer `name` on `loss`, with the gradients of earlier `accumulate` calls.

        Only the weights of this optimizer get gradients, whichever networks the loss went through;
        `freeze_weights` also saves the computation of the others. With `--accumulate` (gradient
        accumulation), all optimizers step after the last microbatch.

        Args:
            when: a boolean scalar on the device, which the host never reads; if it is false, weights and
                optimizer state stay as they were.
        """

    def accumulate(self, name: str, loss: Tensor) -> None:
        """Run backward on `loss` now, for the next update of that name, and free the activations."""


class Trainer(nn.Module):
    """A base class of methods: networks, their optimizers, and one step of training.

    A step reads no tensor on the host, does not branch on a tensor's value, and draws random numbers from
    torch's generators or gets them in the batch. So on a GPU it is captured as one CUDA graph, for each of
    its variants (docs/decisions/0007-gpu.md). Constants are buffers or are created on the batch's device,
    which is torch's meta device while memory is estimated.

    Attributes:
        optimizers: by the name that `step` passes to `update`.
        generators: the networks of the finished model, by name.
        validation_networks: networks that validation needs besides the finished model, by the name of the
            argument of `Task.validate`.
    """

    optimizers: dict[str, torch.optim.Optimizer]
    generators: dict[str, Generator]
    validation_networks: Mapping[str, nn.Module] = MappingProxyType({})

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Return the networks that are trained, by name; a frozen backbone has no parameters."""
        return {name: child for name, child in self.named_children() if any(True for _ in child.parameters())}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Train on a batch of (N, C, H, W) images in [-1, 1]; return the losses to log, scalars by name."""
        raise NotImplementedError

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the next step, if steps differ (a new level, a lazy regularization).

        Each variant is captured, and compiled, once.
        """
        return 0


@contextmanager
def freeze_weights(*networks: nn.Module) -> Iterator[None]:
    """Inside, no gradients are computed for the weights of these networks; their inputs still get gradients.

    Use it if a loss only passes through them. Afterwards each weight has the `requires_grad` that it had
    before.
    """
    flags = [(weight, weight.requires_grad) for network in networks for weight in network.parameters()]
    for weight, _ in flags:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, flag in flags:
            weight.requires_grad_(flag)
