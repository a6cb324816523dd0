"""Generative adversarial nets (arXiv:1406.2661); with a DCGAN's layers, a DCGAN (arXiv:1511.06434)."""

from __future__ import annotations

from translate.losses import vanilla
from translate.methods.building import create_adam
from translate.methods.gan.config import GANConfig
from translate.methods.gan.from_noise import FromNoise


class GAN(FromNoise):
    """`d` tells real images from generated ones (eq. 1); `g` makes what `d` takes for real (section 3)."""

    def __init__(self, c: GANConfig) -> None:
        super().__init__(c)
        self.gan = vanilla(c.smoothing)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
