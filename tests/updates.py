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
