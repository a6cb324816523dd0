"""The trainers of WGAN, with weight clipping (arXiv:1701.07875), and of WGAN-GP, with a gradient penalty
(arXiv:1704.00028).
"""

from __future__ import annotations

import torch
from torch import Tensor

from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam
from translate.methods.gan.base import BaseGAN
from translate.methods.gan.config import WGANConfig, WGANGPConfig
from translate.methods.gan.rmsprop import RMSprop


class WGAN(BaseGAN):
    """A Wasserstein GAN: the critic `d` estimates a distance (eq. 2), which `g` minimizes (eq. 3)."""

    gan = GAN_LOSSES["wgan"]

    def __init__(self, c: WGANConfig) -> None:
        super().__init__(c)
        self.clip = c.clip
        self.optimizers = {}
        for name, network in (("d", self.d), ("g", self.g)):
            lr, (momentum, alpha) = c.learning_rate_and_betas(name)
            self.optimizers[name] = RMSprop(network.parameters(), lr=lr, alpha=alpha, momentum=momentum)

    @torch.no_grad()
    def clip_weights(self) -> None:
        """Clip the weights of the critic to [-clip, clip]: algorithm 1, line 7."""
        for weight in self.d.parameters():
            weight.clamp_(-self.clip, self.clip)


class WGANGP(BaseGAN):
    """A Wasserstein GAN whose critic is constrained by the gradient penalty (eq. 3)."""

    gan = GAN_LOSSES["wgan-gp"]

    def __init__(self, c: WGANGPConfig) -> None:
        super().__init__(c)
        self.lambda_gp = c.lambda_gp
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        """Return the gradient penalty times `lambda_gp`."""
        return self.lambda_gp * gradient_penalty(self.score, x, fake)
