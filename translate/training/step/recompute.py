"""Gradient checkpointing: recompute the generators' activations in the backward pass (arXiv:1604.06174)."""

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
    """Turn on gradient checkpointing for each segment of the generators, in place."""
    for generator in trainer.generators.values():
        # Dropout must draw the same again. The random state is read on the host, which no graph can capture.
        keep = partial(checkpoint, use_reentrant=False, preserve_rng_state=has_dropout(generator))
        generator.segment = partial(_checkpoint_segment, generator, keep)  # type: ignore[method-assign]


def has_dropout(network: nn.Module) -> bool:
    """Return whether a network draws random numbers in a forward pass."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in network.modules())


def _checkpoint_segment(
    network: nn.Module, keep: Callable[..., Tensor], segment: Callable[..., Tensor], *inputs: Any
) -> Tensor:
    # Compiled code updates running statistics in the first forward pass only, so it needs no context.
    if torch.compiler.is_compiling():
        return keep(segment, *inputs)
    return keep(segment, *inputs, context_fn=partial(_contexts, network))


def _contexts(network: nn.Module) -> tuple[nullcontext[None], AbstractContextManager[None]]:
    """Return the contexts of the first computation and of the recomputation."""
    return nullcontext(), _frozen_statistics(network)


@contextmanager
def _frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Freeze the running statistics of batch norms, because they have seen this batch already."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [(norm.momentum, _batches_tracked(norm).clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            _batches_tracked(norm).copy_(batches)


def _batches_tracked(norm: nn.BatchNorm2d) -> Tensor:
    """Return the number of batches in the running statistics, a scalar."""
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked
