"""Gradient checkpointing: recompute the generators' activations in the backward pass (arXiv:1604.06174)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from translate.methods.trainer import Trainer
from translate.networks.blocks import freeze_statistics


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
    return nullcontext(), _FrozenStatistics(network)  # They hold this batch already.


class _FrozenStatistics(AbstractContextManager[None]):
    """`freeze_statistics` that can be entered again: a gradient of a gradient recomputes a segment twice."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.entered = network, ExitStack()

    def __enter__(self) -> None:
        self.entered.enter_context(freeze_statistics(self.network))

    def __exit__(self, *error: object) -> None:
        self.entered.close()
