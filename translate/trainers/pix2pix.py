"""Image-to-image translation with conditional adversarial networks (arXiv:1611.07004)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import Pix2PixConfig
from translate.losses import GAN_LOSSES, gradient_penalty
from translate.trainers.building import Trainer, Update, adam, frozen, new_discriminator, new_generator


class Pix2Pix(Trainer):
    """`g` turns a into b; `d` judges (a, b) pairs."""

    def __init__(self, c: Pix2PixConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c)
        self.d = new_discriminator(c, in_channels=6)
        self.optimizers = {"d": adam(c, self.d), "g": adam(c, self.g)}
        self.generators = {c.direction: self.g}

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """One update of `d`, then one of `g`.

        Args:
            batch: `a` and `b`, (N, 3, H, W) in [-1, 1], pairs.
        """
        a, b = batch["a"], batch["b"]
        fake = self.g(a)

        d_real = self.gan.of_real(self.judge(a, b))
        update("d", d_real / 2, more=True)
        d_fake = self.gan.of_fake(self.judge(a, fake.detach()))
        update("d", (d_fake + self.penalty(a, b, fake)) / 2)  # eq. 1

        with frozen(self.d):
            adversarial = self.gan.generator(self.judge(a, fake))
            l1 = F.l1_loss(fake, b)  # eq. 3
            update("g", adversarial + self.c.lambda_l1 * l1)  # eq. 4
        return {"d": (d_real + d_fake) / 2, "g": adversarial, "l1": l1}

    def judge(self, a: Tensor, b: Tensor) -> Tensor:
        scores: Tensor = self.d(torch.cat([a, b], dim=1))
        return scores

    def penalty(self, a: Tensor, b: Tensor, fake: Tensor) -> Tensor | float:
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        return self.c.lambda_gp * gradient_penalty(self.d.forward, b, fake, condition=a)
