"""The Wasserstein GANs: a critic of bounded weights (arXiv:1701.07875), or of slope 1 (arXiv:1704.00028)."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam
from translate.methods.gan.config import WGANConfig, WGANGPConfig
from translate.methods.gan.from_noise import FromNoise
from translate.methods.gan.rmsprop import RMSprop


class WGAN(FromNoise):
    """`d` estimates how far generated images are from real ones (eq. 2); `g` shortens the way (eq. 3)."""

    gan = GAN_LOSSES["wgan"]

    def __init__(self, c: WGANConfig) -> None:
        super().__init__(c)
        self.clip = c.clip
        self.optimizers = {}
        for name, network in (("d", self.d), ("g", self.g)):
            lr, (momentum, alpha) = c.rates(name)
            self.optimizers[name] = RMSprop(network.parameters(), lr=lr, alpha=alpha, momentum=momentum)

    @torch.no_grad()
    def clip_weights(self) -> None:
        """Clip the weights of `d`: algorithm 1, line 7."""
        for weight in self.d.parameters():
            weight.clamp_(-self.clip, self.clip)


class WGANGP(FromNoise):
    """As WGAN, its critic held by the gradient penalty (eq. 3)."""

    gan = GAN_LOSSES["wgan-gp"]

    def __init__(self, c: WGANGPConfig) -> None:
        super().__init__(c)
        self.lambda_gp = c.lambda_gp
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        return self.lambda_gp * gradient_penalty(self.judge, x, fake)
