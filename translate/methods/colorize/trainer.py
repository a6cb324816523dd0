"""The colorization trainer: rebalanced classification of colours (arXiv:1603.08511) or L1, and a GAN loss."""

from __future__ import annotations

from collections.abc import Hashable

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images.color.lab import join_lab, split_lab
from translate.losses import RebalancedCrossEntropy
from translate.methods.adversary import Adversary
from translate.methods.building import build_augmentation, build_discriminator, build_generator, create_adam
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks.generators.colorizer import BINS, Colorizer, annealed_mean


class Colorization(Trainer):
    """A trainer of `g`, which predicts a and b from L, and of `d`, which scores (L, a, b).

    With `lambda_gan` 0 there is no `d`.
    """

    def __init__(self, c: ColorizeConfig) -> None:
        super().__init__()
        self.c = c
        self.g = build_generator(c, in_channels=1, out_channels=2)
        self.classes = RebalancedCrossEntropy(BINS, c.rebalance)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"g": create_adam(c, "g", self.g)}
        self.generators = {"colorize": self.g}
        if c.lambda_gan:
            self.d, self.augment = build_discriminator(c, 2, condition_channels=1), build_augmentation(c, 1)
            self.adversary = Adversary(c, self.d, self.augment)
            self.optimizers["d"] = create_adam(c, "d", self.d)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, if there is one, then `g`.

        Args:
            batch: `photo`, (N, 3, H, W) in [-1, 1].
        """
        light, chroma = split_lab(batch["photo"])
        fake, color_loss = self.color_loss(light, chroma)
        if not self.c.lambda_gan:
            update("g", color_loss)
            return {"color": color_loss}

        fake = fake.to(light)
        real, fake = self.adversarial_images(light, chroma), self.adversarial_images(light, fake)
        d_loss = self.adversary.update_discriminator(update, progress, real=real, fake=fake, condition=light)
        with freeze_weights(self.d):
            adversarial = self.adversary.generator_loss(fake, real=real, condition=light)
            update("g", color_loss + self.c.lambda_gan * adversarial)
        losses = {"d": d_loss, "g": adversarial, "color": color_loss}
        return losses | self.adversary.adapt(progress)

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary, if there is one."""
        return self.adversary.variant(progress) if self.c.lambda_gan else 0

    def adversarial_images(self, light: Tensor, chroma: Tensor) -> Tensor:
        """Return what `d` scores: a and b, (N, 2, H, W), or without L as the condition, RGB, (N, 3, H, W)."""
        return chroma if self.c.sees_condition else join_lab(light, chroma)

    def color_loss(self, light: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the colours; return them, (N, 2, H, W), and their loss against the true colours.

        Args:
            light: L, (N, 1, H, W) in [-1, 1].
            chroma: the true a and b, (N, 2, H, W) in [-1, 1].
        """
        if not isinstance(self.g, Colorizer):
            fake = self.g(light)
            return fake, self.c.lambda_l1 * F.l1_loss(fake, chroma)
        logits = self.g(light, logits=True)
        fake = F.interpolate(annealed_mean(logits), light.shape[2:], mode="bilinear")
        return fake, self.classes(logits, F.interpolate(chroma, logits.shape[2:], mode="area"))
