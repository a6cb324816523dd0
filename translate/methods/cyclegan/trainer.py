"""The CycleGAN trainer: unpaired image-to-image translation by cycle consistency (arXiv:1703.10593)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, ImagePool, gradient_penalty
from translate.methods.building import build_discriminator, build_generator, create_adam, forward_batched
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights


class CycleGAN(Trainer):
    """A trainer of `g_ab`, which translates A to B, `g_ba`, and the discriminators `d_a` and `d_b`.

    `d_a` scores images of domain A, `d_b` those of domain B.
    """

    def __init__(self, c: CycleGANConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g_ab, self.g_ba = build_generator(c), build_generator(c)
        self.d_a, self.d_b = build_discriminator(c, in_channels=3), build_discriminator(c, in_channels=3)
        self.pool_a, self.pool_b = ImagePool(c.pool_size), ImagePool(c.pool_size)
        self.optimizers = {
            "g": create_adam(c, "g", self.g_ab, self.g_ba),
            "d": create_adam(c, "d", self.d_a, self.d_b),
        }
        generators = {"AtoB": self.g_ab, "BtoA": self.g_ba}
        # A model applies its first generator by default.
        self.generators = {c.direction: generators[c.direction], **generators}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update both generators, then both discriminators.

        Args:
            batch: unpaired `a` and `b`, (N, 3, H, W) in [-1, 1].
        """
        c, a, b = self.c, batch["a"], batch["b"]

        # The generators minimize the full objective: eq. 3, and the identity loss of section 5.2.
        with freeze_weights(self.d_a, self.d_b):
            fake_b, g_ab, cycle_a, identity_a = self.cycle_losses(a, self.g_ab, self.g_ba, self.d_b)
            update.accumulate("g", g_ab + c.lambda_a * (cycle_a + c.lambda_identity * identity_a))
            fake_a, g_ba, cycle_b, identity_b = self.cycle_losses(b, self.g_ba, self.g_ab, self.d_a)
            update("g", g_ba + c.lambda_b * (cycle_b + c.lambda_identity * identity_b))

        # The discriminators compare real images with generated ones from the image pools: eq. 1.
        d_a, penalty_a = self.discriminator_loss(self.d_a, real=a, fake=query_pool(self.pool_a, fake_a))
        update.accumulate("d", (d_a + penalty_a) / 2)
        d_b, penalty_b = self.discriminator_loss(self.d_b, real=b, fake=query_pool(self.pool_b, fake_b))
        update("d", (d_b + penalty_b) / 2)

        losses = {"d_a": d_a / 2, "d_b": d_b / 2, "g_ab": g_ab, "g_ba": g_ba}
        losses |= {"cycle_a": cycle_a, "cycle_b": cycle_b}
        if c.lambda_identity:
            losses["identity"] = c.lambda_identity * (c.lambda_a * identity_a + c.lambda_b * identity_b)
        return losses

    def cycle_losses(
        self, x: Tensor, g: nn.Module, f: nn.Module, d: nn.Module
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Translate x by G: X -> Y, and reconstruct it by F: Y -> X.

        Args:
            d: the discriminator of Y.

        Returns:
            The translation G(x); the adversarial loss of G (eq. 1); the cycle-consistency loss of F(G(x))
            (eq. 2); and the identity loss: F(x) should be x, which lies in F's output domain already
            (section 5.2).
        """
        fake = g(x)
        adversarial = self.gan.generator_loss(d(fake))
        if self.c.lambda_identity == 0:
            return fake, adversarial, F.l1_loss(f(fake), x), x.new_zeros(())
        reconstruction, identity = forward_batched(f, fake, x)
        return fake, adversarial, F.l1_loss(reconstruction, x), F.l1_loss(identity, x)

    def discriminator_loss(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the adversarial loss of `d` (eq. 1), and the gradient penalty times `lambda_gp`."""
        real_scores, fake_scores = forward_batched(d, real, fake)
        penalty = gradient_penalty(d, real, fake) if self.c.gan_loss == "wgan-gp" else 0.0
        return self.gan.discriminator_loss(real=real_scores, fake=fake_scores), self.c.lambda_gp * penalty


def query_pool(pool: ImagePool, fake: Tensor) -> Tensor:
    """Exchange generated images with an image pool, at random by torch's generator."""
    images: Tensor = pool(fake, torch.rand(len(fake), 2, device=fake.device))
    return images
