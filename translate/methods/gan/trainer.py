"""The trainer of GAN (arXiv:1406.2661) and, with convolutional networks, DCGAN (arXiv:1511.06434)."""

from __future__ import annotations

from translate.losses import vanilla
from translate.methods.building import create_adam
from translate.methods.gan.base import BaseGAN
from translate.methods.gan.config import GANConfig


class GAN(BaseGAN):
    """The original GAN: cross-entropy (eq. 1), with the non-saturating generator loss (section 3)."""

    def __init__(self, c: GANConfig) -> None:
        super().__init__(c)
        self.gan = vanilla(c.smoothing)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
