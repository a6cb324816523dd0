"""Unpaired image-to-image translation with cycle consistency (arXiv:1703.10593)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from translate.config import CycleGANConfig
from translate.losses import GAN_LOSSES, ImagePool, gradient_penalty
from translate.trainers.building import (
    Trainer,
    Update,
    adam,
    frozen,
    new_discriminator,
    new_generator,
    together,
)


class CycleGAN(Trainer):
    """`g_ab` turns a into b and `g_ba` back; `d_a` judges domain A, `d_b` domain B."""

    def __init__(self, c: CycleGANConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g_ab, self.g_ba = new_generator(c), new_generator(c)
        self.d_a, self.d_b = new_discriminator(c, in_channels=3), new_discriminator(c, in_channels=3)
        self.pool_a, self.pool_b = ImagePool(c.pool_size, c.seed), ImagePool(c.pool_size, c.seed + 1)
        self.optimizers = {"g": adam(c, self.g_ab, self.g_ba), "d": adam(c, self.d_a, self.d_b)}
        both = {"AtoB": self.g_ab, "BtoA": self.g_ba}
        self.generators = {c.direction: both[c.direction], **both}  # the first is a model's default

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """One update of both generators, then one of both discriminators.

        Args:
            batch: `a` and `b`, (N, 3, H, W) in [-1, 1], unpaired.
        """
        c, a, b = self.c, batch["a"], batch["b"]
        with frozen(self.d_a, self.d_b):
            fake_b, g_ab, cycle_a, same_a = self.there_and_back(a, self.g_ab, self.g_ba, self.d_b)
            update("g", g_ab + c.lambda_a * (cycle_a + c.lambda_identity * same_a), more=True)
            fake_a, g_ba, cycle_b, same_b = self.there_and_back(b, self.g_ba, self.g_ab, self.d_a)
            update("g", g_ba + c.lambda_b * (cycle_b + c.lambda_identity * same_b))  # eq. 3

        d_a, penalty_a = self.judged(self.d_a, real=a, fake=self.pool_a(fake_a))
        update("d", (d_a + penalty_a) / 2, more=True)
        d_b, penalty_b = self.judged(self.d_b, real=b, fake=self.pool_b(fake_b))
        update("d", (d_b + penalty_b) / 2)
        losses = {"d_a": d_a / 2, "d_b": d_b / 2, "g_ab": g_ab, "g_ba": g_ba}
        losses |= {"cycle_a": cycle_a, "cycle_b": cycle_b}
        if c.lambda_identity:
            losses["identity"] = c.lambda_identity * (c.lambda_a * same_a + c.lambda_b * same_b)
        return losses

    def there_and_back(
        self, x: Tensor, there: nn.Module, back: nn.Module, d: nn.Module
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The translation of `x`; how little `d` takes it for true (eq. 1), how far the way back ends from
        `x` (eq. 2), and how far `back` moves `x`, which is of its kind already (section 5.2).
        """
        fake = there(x)
        adversarial = self.gan.generator(d(fake))
        if self.c.lambda_identity == 0:
            return fake, adversarial, F.l1_loss(back(fake), x), x.new_zeros(())
        again, same = together(back, fake, x)
        return fake, adversarial, F.l1_loss(again, x), F.l1_loss(same, x)

    def judged(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor | float]:
        """What `d` pays for its mistakes, and for its slope."""
        of_real, of_fake = together(d, real, fake)
        penalty = gradient_penalty(d.forward, real, fake) if self.c.gan_loss == "wgan-gp" else 0.0
        return self.gan.discriminator(real=of_real, fake=of_fake), self.c.lambda_gp * penalty
