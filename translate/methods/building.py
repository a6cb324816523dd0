"""Build the networks and the optimizers of a trainer from its settings."""

from __future__ import annotations

from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from translate.config import (
    AdversarialConfig,
    ContrastiveConfig,
    ImageTrainConfig,
    TrainConfig,
    TranslationConfig,
)
from translate.config.training.adversarial import PATCHGANS
from translate.losses import GAN_LOSSES
from translate.networks import (
    DISCRIMINATORS,
    Generator,
    PatchProjection,
    ResNet,
    WholeImageCritic,
    create_generator,
    generator_spec,
    initialize,
)
from translate.networks.augmentation import AdaptiveAugment, DiffAugment
from translate.networks.backbones import load_backbone
from translate.networks.blocks import BatchNorm
from translate.networks.discriminators.projected import ProjectedDiscriminator
from translate.networks.spectral_norm import add_spectral_norm

Network = TypeVar("Network", bound=nn.Module)


def build_generator(
    c: ImageTrainConfig, in_channels: int | None = None, out_channels: int | None = None
) -> Generator:
    """Build the generator that the settings describe, with initial weights.

    Args:
        in_channels, out_channels: the default is those of a translation's settings, and 3 for other methods.
    """
    default = c.channels if isinstance(c, TranslationConfig) else (3, 3)
    arguments = {
        "in_channels": in_channels or default[0],
        "out_channels": out_channels or default[1],
        "width": c.ngf,
        "depth": c.depth,
        "norm": c.norm,
        "dropout": c.dropout,
        "downsample": c.downsample,
        "upsample": c.upsample,
    }
    return _initialize(create_generator(generator_spec(c.generator, arguments)), c)


def build_discriminator(c: ImageTrainConfig, in_channels: int, condition_channels: int = 0) -> nn.Module:
    """Build the discriminator that the settings describe, with initial weights.

    Args:
        in_channels: channels of an image.
        condition_channels: channels of the condition, which precede those of the image. A projected
            discriminator does not see them.
    """
    (network,) = build_discriminators(c, 1, condition_channels + in_channels)
    return network


def build_discriminators(c: ImageTrainConfig, count: int, in_channels: int) -> list[nn.Module]:
    """Build so many discriminators as the settings describe. Projected ones share one frozen backbone.

    Args:
        in_channels: channels of all that they see, which a projected discriminator takes as they are.
    """
    if c.discriminator != "projected":
        return [_build_discriminator(c, in_channels) for _ in range(count)]
    backbone = load_backbone(c.backbone)
    return [ProjectedDiscriminator(backbone, width=c.ndf, norm=c.norm) for _ in range(count)]


def _build_discriminator(c: ImageTrainConfig, in_channels: int) -> nn.Module:
    arguments: dict[str, Any] = {"width": c.ndf, "norm": c.norm}
    if c.discriminator in PATCHGANS:
        arguments |= {"layers": c.d_layers, "downsample": c.d_downsample}
    if c.discriminator == "multiscale":
        arguments["scales"] = c.d_scales
    network = _initialize(DISCRIMINATORS[c.discriminator](in_channels, **arguments), c)
    if c.spectral:
        add_spectral_norm(network)
    return network


def build_critics(c: ImageTrainConfig, *, local_size: int) -> tuple[nn.Module, nn.Module]:
    """Build the local critic, of a part of an image, and the global one (arXiv:1801.07892, section 3).

    Args:
        local_size: side of that part, in pixels.
    """
    local = WholeImageCritic(image_size=local_size, width=c.ndf, max_factor=8)
    return _initialize(local, c), _initialize(WholeImageCritic(image_size=c.image_size, width=c.ndf), c)


def build_augmentation(c: AdversarialConfig, condition_channels: int = 0) -> nn.Module:
    """Build the augmentation of the images that a discriminator sees: ADA, DiffAugment or none.

    Args:
        condition_channels: channels of the condition, which precede those of the images.
    """
    condition_channels = condition_channels if c.sees_condition else 0
    if c.ada:
        boundary = GAN_LOSSES[c.gan_loss].boundary
        return AdaptiveAugment(condition_channels, target=c.ada_target, threshold=boundary)
    return DiffAugment(condition_channels) if c.diffaugment else nn.Identity()


def _initialize(network: Network, c: ImageTrainConfig) -> Network:
    """Initialize a network in place, unless it is to keep its own initial weights; return it."""
    if c.initialization != "own":
        initialize(network, c.initialization, c.init_gain)
    return network


def build_projection(c: ContrastiveConfig, g: nn.Module) -> PatchProjection:
    """Build the projection head of a generator's features, with initial weights."""
    assert isinstance(g, ResNet)
    return _initialize(PatchProjection(g.feature_channels(c.feature_layers), c.nce_width), c)


def create_adam(c: TrainConfig, role: str, *networks: nn.Module, lr_factor: float = 1) -> torch.optim.Adam:
    """Create one Adam optimizer over the weights of all `networks`.

    Args:
        role: `g` for generators or `d` for discriminators; it selects the learning rate and the betas.
        lr_factor: multiplies that learning rate.
    """
    weights = chain.from_iterable(network.parameters() for network in networks)
    lr, betas = c.learning_rate_and_betas(role)
    return torch.optim.Adam(weights, lr=lr_factor * lr, betas=betas, fused=True)


def add_weights(adam: torch.optim.Optimizer, c: TrainConfig, role: str, *networks: nn.Module) -> None:
    """Let an Adam train the weights of more networks, with a learning rate and betas of their own.

    It does what an Adam of their own would do, where one loss trains them together with the others.

    Args:
        role: as of `create_adam`; `f` for projection heads.
    """
    lr, betas = c.learning_rate_and_betas(role)
    weights = chain.from_iterable(network.parameters() for network in networks)
    adam.add_param_group({"params": list(weights), "lr": lr, "betas": betas})


def can_batch(network: nn.Module, *batches: Tensor) -> bool:
    """Return whether a network may take several batches in one forward pass, which is faster.

    The batches must have the same size for that, and the network no batch norm, which would mix their
    statistics. The results are then the same up to rounding.
    """
    is_mixed = any(isinstance(module, BatchNorm) for module in network.modules())
    return not is_mixed and len({batch.shape for batch in batches}) == 1


def forward_batched(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """Apply a network to several batches, in one forward pass if possible (see `can_batch`)."""
    if not can_batch(network, *batches):
        return tuple(network(batch) for batch in batches)
    output: Tensor = network(torch.cat(batches))
    return output.chunk(len(batches))
