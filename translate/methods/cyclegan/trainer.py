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
    """A trainer of two generators and two discriminators.

    Trains the generators `g_ab` (A to B) and `g_ba` (B to A) and the discriminators `d_a` and `d_b`, which
    score images of A and of B.
    """

    def __init__(self, c: CycleGANConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g_ab, self.g_ba = build_generator(c), build_generator(c)
        self.d_a, self.d_b = (build_discriminator(c, in_channels=c.channels[1]) for _ in range(2))
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
            batch: unpaired `a` and `b`, (N, C, H, W) in [-1, 1].
        """
        c, a, b = self.c, batch["a"], batch["b"]

        # The generators minimize the full objective: eq. 3, and the identity loss of section 5.2.
        with freeze_weights(self.d_a, self.d_b):
            fake_b, adversarial_ab, cycle_a, identity_a = self.generator_losses(
                a, self.g_ab, self.g_ba, self.d_b
            )
            # Backward now, so that only one cycle's activations are in memory; the optimizer steps in
            # `update` below.
            update.accumulate("g", adversarial_ab + c.lambda_a * (cycle_a + c.lambda_identity * identity_a))
            fake_a, adversarial_ba, cycle_b, identity_b = self.generator_losses(
                b, self.g_ba, self.g_ab, self.d_a
            )
            update("g", adversarial_ba + c.lambda_b * (cycle_b + c.lambda_identity * identity_b))

        # The discriminators learn to tell real images from generated ones of the image pools: eq. 1, with
        # `gan_loss` in place of the logarithms (section 4).
        loss_d_a, penalty_a = self.discriminator_loss(self.d_a, real=a, fake=query_pool(self.pool_a, fake_a))
        # Halved, as in section 4, to slow the discriminators down.
        update.accumulate("d", (loss_d_a + penalty_a) / 2)
        loss_d_b, penalty_b = self.discriminator_loss(self.d_b, real=b, fake=query_pool(self.pool_b, fake_b))
        update("d", (loss_d_b + penalty_b) / 2)

        losses = {"d_a": loss_d_a / 2, "d_b": loss_d_b / 2, "g_ab": adversarial_ab, "g_ba": adversarial_ba}
        losses |= {"cycle_a": cycle_a, "cycle_b": cycle_b}
        if c.lambda_identity:
            losses["identity"] = c.lambda_identity * (c.lambda_a * identity_a + c.lambda_b * identity_b)
        return losses

    def generator_losses(
        self, x: Tensor, g: nn.Module, f: nn.Module, d: nn.Module
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Translate x by g: X -> Y, and reconstruct it by f: Y -> X.

        Args:
            d: the discriminator of Y.

        Returns:
            The translation g(x); the adversarial loss of g (eq. 1, with `gan_loss` in place of the
            logarithms; section 4); the cycle-consistency loss of f(g(x)) (eq. 2); and the identity loss: f
            should leave x unchanged, because x is already in f's output domain (section 5.2).
        """
        fake = g(x)
        adversarial = self.gan.generator_loss(d(fake))
        if self.c.lambda_identity == 0:
            return fake, adversarial, F.l1_loss(f(fake), x), x.new_zeros(())
        reconstruction, identity = forward_batched(f, fake, x)
        return fake, adversarial, F.l1_loss(reconstruction, x), F.l1_loss(identity, x)

    def discriminator_loss(self, d: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the adversarial loss of `d` (eq. 1), and the gradient penalty times `lambda_gp`.

        Only the first is logged.
        """
        real_scores, fake_scores = forward_batched(d, real, fake)
        penalty = gradient_penalty(d, real, fake) if self.c.gan_loss == "wgan-gp" else 0.0
        return self.gan.discriminator_loss(real=real_scores, fake=fake_scores), self.c.lambda_gp * penalty


def query_pool(pool: ImagePool, fake: Tensor) -> Tensor:
    """Pass generated images through an image pool, which returns older ones half of the time.

    The draws come from torch's random number generator. The result carries no gradient.
    """
    images: Tensor = pool(fake, torch.rand(len(fake), 2, device=fake.device))
    return images
