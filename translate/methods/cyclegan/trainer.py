"""The CycleGAN trainer: unpaired image-to-image translation by cycle consistency (arXiv:1703.10593)."""

from __future__ import annotations

from collections.abc import Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.losses import ImagePool
from translate.methods.adversary import Adversary
from translate.methods.building import (
    build_augmentation,
    build_discriminators,
    build_generator,
    create_adam,
    forward_batched,
)
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
        self.g_ab, self.g_ba = build_generator(c), build_generator(c)
        self.d_a, self.d_b = build_discriminators(c, 2, in_channels=c.channels[1])
        self.augment_a, self.augment_b = build_augmentation(c), build_augmentation(c)
        self.adversary_a = Adversary(c, self.d_a, self.augment_a)
        self.adversary_b = Adversary(c, self.d_b, self.augment_b)
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
                a, self.g_ab, self.g_ba, self.adversary_b, real=b
            )
            # Backward now, so that only one cycle's activations are in memory; the optimizer steps in
            # `update` below.
            update.accumulate("g", adversarial_ab + c.lambda_a * (cycle_a + c.lambda_identity * identity_a))
            fake_a, adversarial_ba, cycle_b, identity_b = self.generator_losses(
                b, self.g_ba, self.g_ab, self.adversary_a, real=a
            )
            update("g", adversarial_ba + c.lambda_b * (cycle_b + c.lambda_identity * identity_b))

        # The discriminators learn to tell real images from generated ones of the image pools: eq. 1, with
        # `gan_loss` in place of the logarithms (section 4).
        fake_a = query_pool(self.pool_a, fake_a)
        loss_d_a = self.adversary_a.discriminator_loss(real=a, fake=fake_a)
        penalty_a = self.adversary_a.penalty(progress, real=a, fake=fake_a)
        # Halved, as in section 4, to slow the discriminators down.
        update.accumulate("d", (loss_d_a + penalty_a) / 2)
        fake_b = query_pool(self.pool_b, fake_b)
        loss_d_b = self.adversary_b.discriminator_loss(real=b, fake=fake_b)
        penalty_b = self.adversary_b.penalty(progress, real=b, fake=fake_b)
        update("d", (loss_d_b + penalty_b) / 2)

        losses = {"d_a": loss_d_a / 2, "d_b": loss_d_b / 2, "g_ab": adversarial_ab, "g_ba": adversarial_ba}
        losses |= {"cycle_a": cycle_a, "cycle_b": cycle_b}
        if c.lambda_identity:
            losses["identity"] = c.lambda_identity * (c.lambda_a * identity_a + c.lambda_b * identity_b)
        losses |= self.adversary_a.adapt(progress, "ada_p_a") | self.adversary_b.adapt(progress, "ada_p_b")
        return losses

    def generator_losses(
        self, x: Tensor, g: nn.Module, f: nn.Module, adversary: Adversary, real: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Translate x by g: X -> Y, and reconstruct it by f: Y -> X.

        Args:
            adversary: the discriminator of Y, with its losses.
            real: images of Y.

        Returns:
            The translation g(x); the adversarial loss of g (eq. 1, with `gan_loss` in place of the
            logarithms; section 4); the cycle-consistency loss of f(g(x)) (eq. 2); and the identity loss: f
            should leave x unchanged, because x is already in f's output domain (section 5.2).
        """
        fake = g(x)
        adversarial = adversary.generator_loss(fake, real=real)
        if self.c.lambda_identity == 0:
            return fake, adversarial, F.l1_loss(f(fake), x), x.new_zeros(())
        reconstruction, identity = forward_batched(f, fake, x)
        return fake, adversarial, F.l1_loss(reconstruction, x), F.l1_loss(identity, x)

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversaries, which take the same."""
        return self.adversary_a.variant(progress)


def query_pool(pool: ImagePool, fake: Tensor) -> Tensor:
    """Pass generated images through an image pool, which returns older ones half of the time.

    The draws come from torch's random number generator. The result carries no gradient.
    """
    images: Tensor = pool(fake, torch.rand(len(fake), 2, device=fake.device))
    return images
