"""Gradient checkpointing: a generator's layers are computed again for the gradient (arXiv:1604.06174)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from translate.methods.trainer import Trainer


def recompute_generators(trainer: Trainer) -> None:
    """Let each segment of the generators forget its layers until the gradient needs them, in place."""
    for generator in trainer.generators.values():
        generator.segment = partial(_segment, generator)  # type: ignore[method-assign]


def _segment(network: nn.Module, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
    if torch.compiler.is_compiling():  # compiled code writes running statistics in the first forward only
        output: Tensor = checkpoint(part, *inputs, use_reentrant=False)
    else:
        output = checkpoint(part, *inputs, use_reentrant=False, context_fn=partial(_contexts, network))
    return output


def _contexts(network: nn.Module) -> tuple[nullcontext[None], AbstractContextManager[None]]:
    """Return what is entered around the first computation, and around the second."""
    return nullcontext(), _frozen_statistics(network)


@contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Keep batch norms from counting a batch that they have counted already."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [(norm.momentum, _batches(norm).clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            _batches(norm).copy_(batches)


def _batches(norm: nn.BatchNorm2d) -> Tensor:
    """Return how many batches it has counted, ()."""
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked
