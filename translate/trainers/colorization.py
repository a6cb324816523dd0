"""Colour for gray photos: classes of colour, rebalanced (arXiv:1603.08511), or L1, and an adversary."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import ColorizeConfig
from translate.images.lab import split_lab
from translate.losses import GAN_LOSSES, ColorClasses, gradient_penalty
from translate.networks.colorizer import SIDE, Colorizer, annealed_mean
from translate.trainers.building import Trainer, Update, adam, frozen, new_discriminator, new_generator


class Colorization(Trainer):
    """`g` gives a and b for L; `d` judges (L, a, b)."""

    def __init__(self, c: ColorizeConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c)
        self.classes = ColorClasses(SIDE, c.rebalance)
        self.optimizers = {"g": adam(c, self.g)}
        self.generators = {"AtoB": self.g}
        if c.lambda_gan:
            self.d = new_discriminator(c, in_channels=3)
            self.optimizers["d"] = adam(c, self.d)

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """One update of `d`, if there is one, then one of `g`.

        Args:
            batch: `photo`, (N, 3, H, W) in [-1, 1].
        """
        light, chroma = split_lab(batch["photo"])
        fake, color = self.colored(light, chroma)
        if not self.c.lambda_gan:
            update("g", color)
            return {"color": color}

        true = torch.cat([light, chroma], dim=1)
        drawn = torch.cat([light, fake.to(light)], dim=1)
        d_real = self.gan.of_real(self.d(true))
        update("d", d_real / 2, more=True)
        d_fake = self.gan.of_fake(self.d(drawn.detach()))
        if self.c.gan_loss == "wgan-gp":
            penalty = gradient_penalty(self.d.forward, chroma, fake, condition=light)
            d_fake = d_fake + self.c.lambda_gp * penalty
        update("d", d_fake / 2)
        with frozen(self.d):
            adversarial = self.gan.generator(self.d(drawn))
            update("g", color + self.c.lambda_gan * adversarial)
        return {"d": (d_real + d_fake) / 2, "g": adversarial, "color": color}

    def colored(self, light: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        """The colours that `g` gives, and what they cost against the true ones."""
        if not isinstance(self.g, Colorizer):
            fake = self.g(light)
            return fake, self.c.lambda_l1 * F.l1_loss(fake, chroma)
        scores = self.g.scores(light)
        fake = F.interpolate(annealed_mean(scores), light.shape[2:], mode="bilinear")
        return fake, self.classes(scores, F.interpolate(chroma, scores.shape[2:], mode="area"))
