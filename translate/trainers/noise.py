"""What the methods that make pictures from noise share: two networks, noise, and the order of a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.config import NoiseTrainConfig
from translate.config.model import FROM_NOISE, GeneratorSpec
from translate.losses import GANLoss
from translate.networks import (
    DISCRIMINATORS,
    DCGANDiscriminator,
    MLPDiscriminator,
    create_generator,
    initialize,
)
from translate.networks.augmentation import DiffAugment
from translate.trainers.building import Trainer, Update, frozen

Discriminator = DCGANDiscriminator | MLPDiscriminator


class FromNoise(Trainer):
    """`g` makes pictures of noise; `d` judges them.

    Attributes:
        gan: the pair of losses.
    """

    gan: GANLoss

    def __init__(self, c: NoiseTrainConfig) -> None:
        super().__init__()
        self.latent, self.d_steps = c.latent, c.d_steps
        self.g = fresh_generator(c.generator_spec())
        self.d: Discriminator = _new_discriminator(c)
        if c.spectral:
            with_spectral_norm(self.d)
        self.seen = DiffAugment() if c.diffaugment else nn.Identity()
        self.generators = {FROM_NOISE: self.g}

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """k updates of `d`, each by pictures and noise of its own, then one of `g`.

        arXiv:1406.2661, algorithm 1; arXiv:1701.07875, algorithm 1; arXiv:1704.00028, algorithm 1.

        Args:
            batch: `picture`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["picture"].chunk(self.d_steps):
            fake = self.g(self.noise(x)).detach()
            d = self.gan.discriminator(real=self.judge(x), fake=self.judge(fake)) + self.penalty(x, fake)
            update("d", d)
            self.bound()

        with frozen(self.d):
            g = self.gan.generator(self.judge(self.g(self.noise(x))))
            update("g", g)
        return {"d": d, "g": g}

    def noise(self, like: Tensor) -> Tensor:
        """z of p(z) = N(0, 1), (N, latent), for as many pictures as there are in `like`."""
        return torch.randn(len(like), self.latent, device=like.device)

    def judge(self, x: Tensor) -> Tensor:
        """(N, 1, 1, 1) scores of pictures."""
        scores: Tensor = self.d(self.seen(x))
        return scores

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor | float:
        """What `d` pays besides."""
        return 0.0

    def bound(self) -> None:
        """Bring `d` back to what is allowed."""


def fresh_generator(spec: GeneratorSpec) -> nn.Module:
    """A generator with the weights from which training starts."""
    network = create_generator(spec)
    _start(network, spec.name)
    return network


def _new_discriminator(c: NoiseTrainConfig) -> Discriminator:
    network = DISCRIMINATORS[c.networks](c.channels, width=c.ndf, depth=c.halvings, norm=c.d_norm)
    assert isinstance(network, (DCGANDiscriminator, MLPDiscriminator))
    _start(network, c.networks)
    return network


def _start(network: nn.Module, name: str) -> None:
    """DCGAN's weights start from N(0, 0.02) (arXiv:1511.06434, section 4), others as torch has it."""
    if name == "dcgan":
        initialize(network, "normal", 0.02)


def with_spectral_norm(network: nn.Module) -> None:
    """Divide the weights of each layer by their greatest singular value, in place (arXiv:1802.05957)."""
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            spectral_norm(module)
