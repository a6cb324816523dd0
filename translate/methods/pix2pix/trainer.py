"""The pix2pix trainer: paired image-to-image translation by a conditional GAN (arXiv:1611.07004)."""

from __future__ import annotations

import copy
from collections.abc import Hashable

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.methods.adversary import Adversary
from translate.methods.building import build_augmentation, build_discriminator, build_generator, create_adam
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks.registration import (
    FINE,
    Registration,
    average,
    draw_field,
    endpoint_error,
    smoothness,
    unwarp,
    warp,
)

REGISTRATION = "registration"  # The network that validation needs with --align.
# Its learning rate is so many times the generator's, which learns blurred targets until it registers them.
REGISTRATION_RATE = 5.0
MAX_TRUST = 0.5  # The share of the translation in the displacements at the end of a run, beside the input's.
LAMBDA_CONSISTENT = 2.0  # The weight of its error on pairs, beside that on two targets.


class Pix2Pix(Trainer):
    """A trainer of `g`, which translates a to b, and `d`, which scores (a, b) pairs.

    With `align`, the pairs do not quite align, and a third network `r` predicts how the target is warped
    against the input. The translation is warped in the same way before the two are compared, as in RegGAN
    (arXiv:2110.06465), so that the generator need not know it. In the paper, `r` sees the translation, and
    learns to make it equal to the target. But what the input does not have, the two then put anywhere:
    stripes were registered to the next stripe. So here `r` sees the input, and learns from known warps
    (`register`).

    In the paper, `d` scores images without their input, beside which misalignment would betray the real ones.
    Such a `d` rewards any target, not only the input's own. So here it sees the input, and real pairs are
    aligned: the warp of their target is undone.
    """

    def __init__(self, c: Pix2PixConfig) -> None:
        super().__init__()
        self.c = c
        self.g = build_generator(c)
        condition_channels = c.channels[0] if c.sees_condition else 0
        self.d = build_discriminator(c, c.channels[1], condition_channels=condition_channels)
        self.augment = build_augmentation(c, condition_channels=condition_channels)
        self.adversary = Adversary(c, self.d, self.augment)
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
        if c.align:
            self.r = Registration(max(c.channels), image_size=c.image_size)
            # It has the same weights, but is not compiled, because validation images have many sizes.
            self.validation_networks = {REGISTRATION: copy.copy(self.r)}
            self.optimizers["r"] = create_adam(c, "g", self.r, lr_factor=REGISTRATION_RATE)
        self.generators = {c.direction: self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `r` (with `align`), then `d`, then `g`.

        Args:
            batch: pairs `a` and `b`, (N, C, H, W) in [-1, 1], of 1 or 3 channels each.
        """
        a, b = batch["a"], batch["b"]
        fake = warped = self.g(a)
        pairs = {"real": b, "fake": fake, "condition": a}
        registration: dict[str, Tensor] = {}
        if self.c.align:
            field, registration = self.register(update, progress, a, b, fake.detach())
            warped = warp(fake, field, mode="bicubic")
            aligned, inside = unwarp(b, field)
            pairs |= {"real": inside * aligned, "fake": inside * fake}

        # The discriminator maximizes L_cGAN: eq. 1, with the loss that `gan_loss` selects.
        d_loss = self.adversary.update_discriminator(update, progress, **pairs)

        # The generator minimizes L_cGAN and the L1 distance to the target.
        with freeze_weights(self.d):
            # eq. 1, non-saturating (section 3.3)
            adversarial = self.adversary.generator_loss(**pairs)
            l1 = F.l1_loss(warped, b)  # eq. 3; L_Corr of RegGAN
            update("g", adversarial + self.c.lambda_l1 * l1)  # eq. 4
        return {"d": d_loss, "g": adversarial, "l1": l1, **registration, **self.adversary.adapt(progress)}

    def register(
        self, update: Update, progress: StepProgress, a: Tensor, b: Tensor, fake: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Update `r` by targets that are warped once more, by known displacements.

        It learns to find them between a target and the warped one, and to tell them apart from the unknown
        displacements of the pair. The first teaches it what to register, the second how in these pairs.

        It then registers the input. The further the run, the more the translation looks like the target, and
        the nearer the result goes to what registers the translation, but never quite: only the input says
        where the translation has to lie.

        Args:
            fake: the translation, without gradients.

        Returns:
            the averaged displacement field from `a` to `b`, without gradients, and the loss to log by name.
        """
        known = draw_field(b)
        warped = warp(b, known)
        field = self.r(a, b)
        # warped(p) = b(p + known(p)), and b(p) = translation(p + field(p))
        expected = known + warp(field, known)
        supervised = endpoint_error(self.r(b, warped), known)
        consistent = endpoint_error(self.r(a, warped), expected)
        error = supervised + LAMBDA_CONSISTENT * consistent
        update("r", self.c.lambda_l1 * error + self.c.lambda_smooth * smoothness(field))
        with torch.no_grad():
            field = average(field, a, b)
            aligned = warp(fake, field)
            rest = average(self.r(aligned, b), aligned, b, deviation=FINE)
        return field + MAX_TRUST * progress.fraction_tensor * rest, {"r": error}

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary."""
        return self.adversary.variant(progress)
