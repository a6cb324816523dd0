"""The pix2pix trainer: paired image-to-image translation by a conditional GAN (arXiv:1611.07004)."""

from __future__ import annotations

from collections.abc import Hashable

import torch.nn.functional as F
from torch import Tensor

from translate.methods.adversary import Adversary
from translate.methods.building import build_augmentation, build_discriminator, build_generator, create_adam
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights


class Pix2Pix(Trainer):
    """A trainer of `g`, which translates a to b, and `d`, which scores (a, b) pairs."""

    def __init__(self, c: Pix2PixConfig) -> None:
        super().__init__()
        self.c = c
        self.g = build_generator(c)
        self.d = build_discriminator(c, c.channels[1], condition_channels=c.channels[0])
        self.augment = build_augmentation(c, condition_channels=c.channels[0])
        self.adversary = Adversary(c, self.d, self.augment)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
        self.generators = {c.direction: self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, then `g`.

        Args:
            batch: pairs `a` and `b`, (N, C, H, W) in [-1, 1], of 1 or 3 channels each.
        """
        a, b = batch["a"], batch["b"]
        fake = self.g(a)

        # The discriminator maximizes L_cGAN: eq. 1, with the loss that `gan_loss` selects.
        d_loss = self.adversary.update_discriminator(update, progress, real=b, fake=fake, condition=a)

        # The generator minimizes L_cGAN and the L1 distance to the target.
        with freeze_weights(self.d):
            # eq. 1, non-saturating (section 3.3)
            adversarial = self.adversary.generator_loss(fake, real=b, condition=a)
            l1 = F.l1_loss(fake, b)  # eq. 3
            update("g", adversarial + self.c.lambda_l1 * l1)  # eq. 4
        return {"d": d_loss, "g": adversarial, "l1": l1, **self.adversary.adapt(progress)}

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary."""
        return self.adversary.variant(progress)
