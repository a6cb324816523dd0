"""What trainers are put together from."""

from __future__ import annotations

from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn

from translate.config import ImageTrainConfig, TrainConfig
from translate.networks import DISCRIMINATORS, Generator, create_generator, generator_spec, initialize
from translate.networks.blocks import BatchNorm

Network = TypeVar("Network", bound=nn.Module)


def new_generator(c: ImageTrainConfig, in_channels: int = 3, out_channels: int = 3) -> Generator:
    """Create the generator that the settings describe, with initial weights."""
    arguments = {
        "in_channels": in_channels,
        "out_channels": out_channels,
        "width": c.ngf,
        "depth": c.depth,
        "norm": c.norm,
        "dropout": c.dropout,
        "upsample": c.upsample,
    }
    return _initialized(create_generator(generator_spec(c.generator, arguments)), c)


def new_discriminator(c: ImageTrainConfig, in_channels: int) -> nn.Module:
    """Create the discriminator that the settings describe, with initial weights."""
    layers = {"layers": c.d_layers} if c.discriminator == "patch" else {}
    network = DISCRIMINATORS[c.discriminator](in_channels, width=c.ndf, norm=c.norm, **layers)
    return _initialized(network, c)


def _initialized(network: Network, c: ImageTrainConfig) -> Network:
    if c.initialization != "own":
        initialize(network, c.initialization, c.init_gain)
    return network


def create_adam(c: TrainConfig, role: str, *networks: nn.Module) -> torch.optim.Adam:
    """Create one Adam over the weights of all `networks`.

    Args:
        role: `g` or `d`, whose learning rate and betas it takes.
    """
    weights = chain.from_iterable(network.parameters() for network in networks)
    lr, betas = c.rates(role)
    return torch.optim.Adam(weights, lr=lr, betas=betas, fused=True)


def forward_batched(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """Apply a network to batches: in one pass, where they are of one size and no norm mixes images.

    The same within rounding, and quicker than a pass for each.
    """
    sizes = {batch.shape for batch in batches}
    if len(sizes) > 1 or any(isinstance(module, BatchNorm) for module in network.modules()):
        return tuple(network(batch) for batch in batches)
    output: Tensor = network(torch.cat(batches))
    return output.chunk(len(batches))
