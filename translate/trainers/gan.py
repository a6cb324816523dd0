"""Generative adversarial nets (arXiv:1406.2661); with a DCGAN's layers, a DCGAN (arXiv:1511.06434)."""

from __future__ import annotations

from translate.config import GANConfig
from translate.losses import vanilla
from translate.trainers.building import adam
from translate.trainers.noise import FromNoise


class GAN(FromNoise):
    """`d` tells true pictures from made ones (eq. 1); `g` makes those that it takes for true (section 3)."""

    def __init__(self, c: GANConfig) -> None:
        super().__init__(c)
        self.gan = vanilla(c.smoothing)
        self.optimizers = {"d": adam(c, self.d), "g": adam(c, self.g)}
