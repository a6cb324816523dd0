"""Unpaired image-to-image translation with cycle consistency (arXiv:1703.10593)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, ImagePool, gradient_penalty
from translate.methods.building import create_adam, forward_batched, new_discriminator, new_generator
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights


class CycleGAN(Trainer):
    """`g_ab` turns a into b and `g_ba` back; `d_a` judges domain A, `d_b` domain B."""

    def __init__(self, c: CycleGANConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g_ab, self.g_ba = new_generator(c), new_generator(c)
        self.d_a, self.d_b = new_discriminator(c, in_channels=3), new_discriminator(c, in_channels=3)
        self.pool_a, self.pool_b = ImagePool(c.pool_size), ImagePool(c.pool_size)
        self.optimizers = {
            "g": create_adam(c, "g", self.g_ab, self.g_ba),
            "d": create_adam(c, "d", self.d_a, self.d_b),
        }
        both = {"AtoB": self.g_ab, "BtoA": self.g_ba}
        self.generators = {c.direction: both[c.direction], **both}  # the first is a model's default

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update both generators, then both discriminators.

        Args:
            batch: `a` and `b`, (N, 3, H, W) in [-1, 1], unpaired.
        """
        c, a, b = self.c, batch["a"], batch["b"]
        with freeze_weights(self.d_a, self.d_b):
            fake_b, g_ab, cycle_a, same_a = self.cycle_losses(a, self.g_ab, self.g_ba, self.d_b)
            update.accumulate("g", g_ab + c.lambda_a * (cycle_a + c.lambda_identity * same_a))
            fake_a, g_ba, cycle_b, same_b = self.cycle_losses(b, self.g_ba, self.g_ab, self.d_a)
            update("g", g_ba + c.lambda_b * (cycle_b + c.lambda_identity * same_b))  # eq. 3

        d_a, penalty_a = self.discriminator_loss(self.d_a, real=a, fake=pooled(self.pool_a, fake_a))
        update.accumulate("d", (d_a + penalty_a) / 2)
        d_b, penalty_b = self.discriminator_loss(self.d_b, real=b, fake=pooled(self.pool_b, fake_b))
        update("d", (d_b + penalty_b) / 2)
        losses = {"d_a": d_a / 2, "d_b": d_b / 2, "g_ab": g_ab, "g_ba": g_ba}
        losses |= {"cycle_a": cycle_a, "cycle_b": cycle_b}
        if c.lambda_identity:
            losses["identity"] = c.lambda_identity * (c.lambda_a * same_a + c.lambda_b * same_b)
        return losses

    def cycle_losses(
        self, x: Tensor, there: nn.Module, back: nn.Module, d: nn.Module
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Translate `x` there and back.

        Returns:
            The translation; its adversarial loss (eq. 1); the cycle loss (eq. 2); and the identity loss,
            by which `back` leaves `x` as it is, which is of its domain already (section 5.2).
        """
        fake = there(x)
        adversarial = self.gan.generator(d(fake))
        if self.c.lambda_identity == 0:
            return fake, adversarial, F.l1_loss(back(fake), x), x.new_zeros(())
        again, same = forward_batched(back, fake, x)
        return fake, adversarial, F.l1_loss(again, x), F.l1_loss(same, x)

    def discriminator_loss(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the adversarial loss of `d`, and its gradient penalty, weighted."""
        real_loss, fake_loss = forward_batched(d, real, fake)
        penalty = gradient_penalty(d, real, fake) if self.c.gan_loss == "wgan-gp" else 0.0
        return self.gan.discriminator(real=real_loss, fake=fake_loss), self.c.lambda_gp * penalty


def pooled(pool: ImagePool, fake: Tensor) -> Tensor:
    """Exchange generated images with a pool, by draws of torch's generator."""
    exchanged: Tensor = pool(fake, torch.rand(len(fake), 2, device=fake.device))
    return exchanged
