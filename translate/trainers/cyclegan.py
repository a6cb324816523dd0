"""Unpaired image-to-image translation with cycle consistency (arXiv:1703.10593)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

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
        a, b = batch["a"], batch["b"]
        fake_b, fake_a, identity = self.translated(a, b)

        with frozen(self.d_a, self.d_b):
            g_ab, g_ba = self.gan.generator(self.d_b(fake_b)), self.gan.generator(self.d_a(fake_a))  # eq. 1
            cycle_a, cycle_b = F.l1_loss(self.g_ba(fake_b), a), F.l1_loss(self.g_ab(fake_a), b)  # eq. 2
            cycle = self.c.lambda_a * cycle_a + self.c.lambda_b * cycle_b
            update("g", g_ab + g_ba + cycle + identity)  # eq. 3

        shown_b, shown_a = self.pool_b(fake_b), self.pool_a(fake_a)
        real_a, made_a = together(self.d_a, a, shown_a)
        real_b, made_b = together(self.d_b, b, shown_b)
        d_a = self.gan.discriminator(real=real_a, fake=made_a)
        d_b = self.gan.discriminator(real=real_b, fake=made_b)
        update("d", (d_a + d_b + self.penalty(a, shown_a, b, shown_b)) / 2)
        return {
            "d_a": d_a / 2,
            "d_b": d_b / 2,
            "g_ab": g_ab,
            "g_ba": g_ba,
            "cycle_a": cycle_a,
            "cycle_b": cycle_b,
            "identity": identity,
        }

    def translated(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both kinds translated, and the loss by which what is of the wanted kind already should stay as
        it is (section 5.2), in the same passes.
        """
        if self.c.lambda_identity == 0:
            return self.g_ab(a), self.g_ba(b), a.new_zeros(())
        (fake_b, same_b), (fake_a, same_a) = together(self.g_ab, a, b), together(self.g_ba, b, a)
        identity = self.c.lambda_b * F.l1_loss(same_b, b) + self.c.lambda_a * F.l1_loss(same_a, a)
        return fake_b, fake_a, self.c.lambda_identity * identity

    def penalty(self, a: Tensor, fake_a: Tensor, b: Tensor, fake_b: Tensor) -> Tensor | float:
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        penalty_a = gradient_penalty(self.d_a.forward, a, fake_a)
        penalty_b = gradient_penalty(self.d_b.forward, b, fake_b)
        return self.c.lambda_gp * (penalty_a + penalty_b)
