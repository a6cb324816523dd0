"""Colour for gray photos: classes of colour, rebalanced (arXiv:1603.08511), or L1, and an adversary."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images.color.lab import split_lab
from translate.losses import GAN_LOSSES, ColorClasses, gradient_penalty
from translate.methods.building import create_adam, new_discriminator, new_generator
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks.generators.colorizer import SIDE, Colorizer, annealed_mean


class Colorization(Trainer):
    """`g` gives a and b for L; `d` judges (L, a, b)."""

    def __init__(self, c: ColorizeConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c, in_channels=1, out_channels=2)
        self.classes = ColorClasses(SIDE, c.rebalance)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"g": create_adam(c, "g", self.g)}
        self.generators = {"colorize": self.g}
        if c.lambda_gan:
            self.d = new_discriminator(c, in_channels=3)
            self.optimizers["d"] = create_adam(c, "d", self.d)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, if there is one, then `g`.

        Args:
            batch: `photo`, (N, 3, H, W) in [-1, 1].
        """
        light, chroma = split_lab(batch["photo"])
        fake, color = self.color_loss(light, chroma)
        if not self.c.lambda_gan:
            update("g", color)
            return {"color": color}

        real = torch.cat([light, chroma], dim=1)
        generated = torch.cat([light, fake.to(light)], dim=1)
        d_real = self.gan.real_loss(self.d(real))
        update.accumulate("d", d_real / 2)
        d_fake = self.gan.fake_loss(self.d(generated.detach()))
        if self.c.gan_loss == "wgan-gp":
            d_fake = d_fake + self.c.lambda_gp * gradient_penalty(self.d, chroma, fake, condition=light)
        update("d", d_fake / 2)
        with freeze_weights(self.d):
            adversarial = self.gan.generator(self.d(generated))
            update("g", color + self.c.lambda_gan * adversarial)
        return {"d": (d_real + d_fake) / 2, "g": adversarial, "color": color}

    def color_loss(self, light: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """Return the colours that `g` gives, and their loss against the true ones."""
        if not isinstance(self.g, Colorizer):
            fake = self.g(light)
            return fake, self.c.lambda_l1 * F.l1_loss(fake, chroma)
        logits = self.g(light, logits=True)
        fake = F.interpolate(annealed_mean(logits), light.shape[2:], mode="bilinear")
        return fake, self.classes(logits, F.interpolate(chroma, logits.shape[2:], mode="area"))
