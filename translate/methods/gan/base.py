"""The base class of the GANs from noise: both networks, the noise, and the order of a training step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import GeneratorSpec
from translate.losses import GANLoss
from translate.methods.gan.config import BaseGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import (
    DISCRIMINATORS,
    DCGANDiscriminator,
    MLPDiscriminator,
    generator_spec,
    initialize,
)
from translate.networks.augmentation import DiffAugment
from translate.networks.initialization import create_untrained_generator
from translate.networks.spectral_norm import add_spectral_norm

Discriminator = DCGANDiscriminator | MLPDiscriminator


class BaseGAN(Trainer):
    """A trainer of `g`, which generates images from noise, and `d`, which scores images.

    Attributes:
        gan: the pair of discriminator and generator loss.
        augment: the augmentation of real and generated images before `d` (DiffAugment), or the identity.
    """

    gan: GANLoss

    def __init__(self, c: BaseGANConfig) -> None:
        super().__init__()
        self.latent, self.d_steps = c.latent, c.d_steps
        self.g = create_untrained_generator(_generator_spec(c))
        self.d: Discriminator = _build_discriminator(c)
        if c.spectral:
            add_spectral_norm(self.d)
        self.augment = DiffAugment() if c.diffaugment else nn.Identity()
        self.generators = {"sample": self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, each time on new images and new noise, then `g` once.

        arXiv:1406.2661, algorithm 1; arXiv:1701.07875, algorithm 1; arXiv:1704.00028, algorithm 1.

        Args:
            batch: `image`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["image"].chunk(self.d_steps):
            fake = self.g(self.noise(x)).detach()
            d_loss = self.gan.discriminator_loss(real=self.score(x), fake=self.score(fake))
            d_loss = d_loss + self.penalty(x, fake)
            update("d", d_loss)
            self.clip_weights()

        with freeze_weights(self.d):
            g_loss = self.gan.generator_loss(self.score(self.g(self.noise(x))))
            update("g", g_loss)
        return {"d": d_loss, "g": g_loss}

    def noise(self, like: Tensor) -> Tensor:
        """Draw z from p(z) = N(0, 1), (N, latent), for as many images as there are in `like`."""
        return torch.randn(len(like), self.latent, device=like.device)

    def score(self, x: Tensor) -> Tensor:
        """Return the scores by `d` of augmented images, (N, 1, 1, 1)."""
        scores: Tensor = self.d(self.augment(x))
        return scores

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor | float:
        """Return the weighted gradient penalty; 0 unless a subclass has one."""
        return 0.0

    def clip_weights(self) -> None:
        """Do nothing; a WGAN clips the weights of `d` here."""


def _generator_spec(c: BaseGANConfig) -> GeneratorSpec:
    arguments = {
        "in_channels": c.inputs,
        "out_channels": c.channels,
        "width": c.ngf,
        "depth": c.depth,
        "norm": "batch",
        "upsample": c.upsample,
    }
    return generator_spec(c.networks, arguments)


def _build_discriminator(c: BaseGANConfig) -> Discriminator:
    network = DISCRIMINATORS[c.networks](c.channels, width=c.ndf, depth=c.depth, norm=c.d_norm)
    assert isinstance(network, (DCGANDiscriminator, MLPDiscriminator))
    if c.networks == "dcgan":
        initialize(network, "normal", 0.02)
    return network
