"""Image-to-image translation with conditional adversarial networks (arXiv:1611.07004)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam, new_discriminator, new_generator
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights


class Pix2Pix(Trainer):
    """`g` turns a into b; `d` judges (a, b) pairs."""

    def __init__(self, c: Pix2PixConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c)
        self.d = new_discriminator(c, in_channels=6)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
        self.generators = {c.direction: self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, then `g`.

        Args:
            batch: `a` and `b`, (N, 3, H, W) in [-1, 1], pairs.
        """
        a, b = batch["a"], batch["b"]
        fake = self.g(a)

        d_real = self.gan.real_loss(self.judge(a, b))
        update.accumulate("d", d_real / 2)
        d_fake = self.gan.fake_loss(self.judge(a, fake.detach()))
        update("d", (d_fake + self.penalty(a, b, fake)) / 2)  # eq. 1

        with freeze_weights(self.d):
            adversarial = self.gan.generator(self.judge(a, fake))
            l1 = F.l1_loss(fake, b)  # eq. 3
            update("g", adversarial + self.c.lambda_l1 * l1)  # eq. 4
        return {"d": (d_real + d_fake) / 2, "g": adversarial, "l1": l1}

    def judge(self, a: Tensor, b: Tensor) -> Tensor:
        """Score (a, b) pairs."""
        scores: Tensor = self.d(torch.cat([a, b], dim=1))
        return scores

    def penalty(self, a: Tensor, b: Tensor, fake: Tensor) -> Tensor | float:
        """Return the gradient penalty, weighted, where there is one."""
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        return self.c.lambda_gp * gradient_penalty(self.d, b, fake, condition=a)
