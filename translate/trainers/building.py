"""What trainers are put together from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor, nn

from translate.config import ImageTrainConfig, TrainConfig
from translate.networks import DISCRIMINATORS, create_generator, initialize
from translate.networks.blocks import BatchNorm


class Update(Protocol):
    """How a step moves its weights."""

    def __call__(self, name: str, loss: Tensor, *, more: bool = False) -> None:
        """Take one step of the optimizer `name` down `loss`.

        Args:
            more: only gather the gradients yet: the next update of that name adds another loss. What
                a loss holds in memory is free once it is handed over.
        """


class Trainer(nn.Module):
    """A method: its networks, how they are optimised and what one step of training is.

    Attributes:
        optimizers: by the name that `step` gives to `update`.
        generators: what a finished model consists of, by direction.
    """

    optimizers: dict[str, torch.optim.Optimizer]
    generators: dict[str, nn.Module]

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """Train on a batch of (N, C, H, W) in [-1, 1]; return the losses, scalars by name.

        Args:
            update: takes one step of an optimizer down a loss.
        """
        raise NotImplementedError


def new_generator(c: ImageTrainConfig) -> nn.Module:
    """The generator that the settings describe, with fresh weights."""
    return _started(create_generator(c.generator_spec()), c)


def new_discriminator(c: ImageTrainConfig, in_channels: int) -> nn.Module:
    """The discriminator that the settings describe, with fresh weights."""
    layers = {"layers": c.d_layers} if c.discriminator == "patch" else {}
    network = DISCRIMINATORS[c.discriminator](in_channels, width=c.ndf, norm=c.norm, **layers)
    return _started(network, c)


def _started(network: nn.Module, c: ImageTrainConfig) -> nn.Module:
    return network if c.initialization == "own" else initialize(network, c.initialization, c.init_gain)


def adam(c: TrainConfig, *networks: nn.Module) -> torch.optim.Adam:
    """One Adam over the weights of all `networks`."""
    weights = chain.from_iterable(network.parameters() for network in networks)
    return torch.optim.Adam(weights, lr=c.lr, betas=(c.beta1, c.beta2), fused=True)


def together(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """What a network makes of batches: in one pass, where they are of one size and no norm mixes pictures.

    The same within rounding, and quicker than a pass for each.
    """
    sizes = {batch.shape for batch in batches}
    if len(sizes) > 1 or any(isinstance(module, BatchNorm) for module in network.modules()):
        return tuple(network(batch) for batch in batches)
    made: Tensor = network(torch.cat(batches))
    return made.chunk(len(batches))


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Within, the networks pass gradients through but gather none of their own."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
