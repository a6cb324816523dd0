"""The pix2pix trainer: paired image-to-image translation by a conditional GAN (arXiv:1611.07004)."""

from __future__ import annotations

import copy
from collections.abc import Hashable

import torch.nn.functional as F
from torch import Tensor, nn

from translate.methods.adversary import Adversary
from translate.methods.building import build_augmentation, build_discriminator, build_generator, create_adam
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks.registration import Centering, Registration, smoothness, warp

REGISTRATION = "registration"  # The network that validation needs with --align.


class Pix2Pix(Trainer):
    """A trainer of `g`, which translates a to b, and `d`, which scores (a, b) pairs.

    With `align`, the pairs do not quite align, and a third network `r` warps each translation onto its target
    before the two are compared (RegGAN, arXiv:2110.06465). It shares the optimizer of `g`, because both
    minimize one loss. `d` then scores images without their input, as in the paper: the real pairs are
    misaligned, and the generator's are not, so that the misalignment would betray them.
    """

    def __init__(self, c: Pix2PixConfig) -> None:
        super().__init__()
        self.c = c
        self.g = build_generator(c)
        condition_channels = c.channels[0] if c.sees_condition else 0
        self.d = build_discriminator(c, c.channels[1], condition_channels=condition_channels)
        self.augment = build_augmentation(c, condition_channels=condition_channels)
        self.adversary = Adversary(c, self.d, self.augment)
        networks: list[nn.Module] = [self.g]
        if c.align:
            self.r, self.center = Registration(c.channels[1]), Centering()
            # It has the same weights, but is not compiled, because validation images have many sizes.
            self.validation_networks = {REGISTRATION: copy.copy(self.r)}
            networks.append(self.r)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", *networks)}
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
            distances, distance = self.distances(fake, b)
            update("g", adversarial + distance)  # eq. 4
        return {"d": d_loss, "g": adversarial, **distances, **self.adversary.adapt(progress)}

    def distances(self, fake: Tensor, b: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the losses between translations and their targets by name, and their weighted sum."""
        if not self.c.align:
            l1 = F.l1_loss(fake, b)  # eq. 3
            return {"l1": l1}, self.c.lambda_l1 * l1
        field = self.r(fake.detach(), b)
        l1, smooth = F.l1_loss(warp(fake, field), b), smoothness(field)  # L_Corr and L_Smooth of RegGAN
        weighted = self.c.lambda_l1 * l1 + self.c.lambda_smooth * smooth + self.center(field)
        return {"l1": l1, "smooth": smooth}, weighted

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary."""
        return self.adversary.variant(progress)
