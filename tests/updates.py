"""Implementations of `Update` to run a trainer's step without the training engine."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from translate.methods.trainer import Trainer


class Updates:
    """An `Update` that calls a function with the optimizer's name, the loss, and whether to step."""

    def __init__(self, handle: Callable[[str, Tensor, bool], None]) -> None:
        self.handle = handle

    def __call__(self, name: str, loss: Tensor, *, when: Tensor | None = None) -> None:
        self.handle(name, loss, True)

    def accumulate(self, name: str, loss: Tensor) -> None:
        self.handle(name, loss, False)


def plain_updates(trainer: Trainer) -> Updates:
    """Create updates as in a plain training loop: backward, step, zero_grad."""

    def handle(name: str, loss: Tensor, step: bool) -> None:
        torch.autograd.backward(loss)
        if step:
            trainer.optimizers[name].step()
            trainer.optimizers[name].zero_grad()

    return Updates(handle)


def recorded_updates(trainer: Trainer, norms: dict[str, float]) -> Updates:
    """Create updates as in a plain training loop, which record the norms of the gradients they step on.

    Args:
        norms: gets the norm of each weight's gradient by the weight's name.
    """

    def handle(name: str, loss: Tensor, step: bool) -> None:
        optimizer = trainer.optimizers[name]
        weights = {weight: None for group in optimizer.param_groups for weight in group["params"]}
        torch.autograd.backward(loss, inputs=list(weights))
        if step:
            for key, weight in trainer.named_parameters():
                if weight in weights:
                    norms[key] = weight.grad.norm().item()
            optimizer.step()
            optimizer.zero_grad()

    return Updates(handle)
