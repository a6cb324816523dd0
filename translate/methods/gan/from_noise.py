"""What the methods of this family share: two networks, noise, and the order of a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.config import GeneratorSpec
from translate.losses import GANLoss
from translate.methods.gan.config import NoiseTrainConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import (
    DISCRIMINATORS,
    DCGANDiscriminator,
    MLPDiscriminator,
    generator_spec,
    initialize,
)
from translate.networks.augmentation import DiffAugment
from translate.networks.initialization import initial_generator

Discriminator = DCGANDiscriminator | MLPDiscriminator


class FromNoise(Trainer):
    """`g` makes images of noise; `d` judges them.

    Attributes:
        gan: the adversarial losses.
        augment: what real and generated images pass through before `d`.
    """

    gan: GANLoss

    def __init__(self, c: NoiseTrainConfig) -> None:
        super().__init__()
        self.latent, self.d_steps = c.latent, c.d_steps
        self.g = initial_generator(_generator_spec(c))
        self.d: Discriminator = _new_discriminator(c)
        if c.spectral:
            add_spectral_norm(self.d)
        self.augment = DiffAugment() if c.diffaugment else nn.Identity()
        self.generators = {"sample": self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, each by images and noise of its own, then `g`.

        arXiv:1406.2661, algorithm 1; arXiv:1701.07875, algorithm 1; arXiv:1704.00028, algorithm 1.

        Args:
            batch: `picture`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["image"].chunk(self.d_steps):
            fake = self.g(self.noise(x)).detach()
            d = self.gan.discriminator(real=self.judge(x), fake=self.judge(fake)) + self.penalty(x, fake)
            update("d", d)
            self.clip_weights()

        with freeze_weights(self.d):
            g = self.gan.generator(self.judge(self.g(self.noise(x))))
            update("g", g)
        return {"d": d, "g": g}

    def noise(self, like: Tensor) -> Tensor:
        """Draw z of p(z) = N(0, 1), (N, latent), for as many images as there are in `like`."""
        return torch.randn(len(like), self.latent, device=like.device)

    def judge(self, x: Tensor) -> Tensor:
        """Score images; (N, 1, 1, 1)."""
        scores: Tensor = self.d(self.augment(x))
        return scores

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor | float:
        """Return the gradient penalty, weighted, where there is one."""
        return 0.0

    def clip_weights(self) -> None:
        """Bring the weights of `d` back to what is allowed."""


def _generator_spec(c: NoiseTrainConfig) -> GeneratorSpec:
    arguments = {
        "in_channels": c.inputs,
        "out_channels": c.channels,
        "width": c.ngf,
        "depth": c.depth,
        "norm": "batch",
        "upsample": c.upsample,
    }
    return generator_spec(c.networks, arguments)


def _new_discriminator(c: NoiseTrainConfig) -> Discriminator:
    network = DISCRIMINATORS[c.networks](c.channels, width=c.ndf, depth=c.depth, norm=c.d_norm)
    assert isinstance(network, (DCGANDiscriminator, MLPDiscriminator))
    if c.networks == "dcgan":
        initialize(network, "normal", 0.02)
    return network


def add_spectral_norm(network: nn.Module) -> None:
    """Divide the weights of each layer by their greatest singular value, in place (arXiv:1802.05957)."""
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            spectral_norm(module)
