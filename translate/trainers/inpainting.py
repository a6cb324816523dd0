"""Filling holes: distances by place (arXiv:1804.07723, eq. 1) and an adversary (arXiv:1604.07379)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import InpaintConfig
from translate.errors import UsageError
from translate.images.lab import split_lab
from translate.losses import GAN_LOSSES, FeatureLoss, gradient_penalty
from translate.models import Model
from translate.networks import Colorizer
from translate.trainers.building import Trainer, Update, adam, frozen, new_discriminator, new_generator


class Inpainting(Trainer):
    """`g` fills the holes; `d` judges the filled picture, knowing where the holes were."""

    def __init__(self, c: InpaintConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c)
        self.optimizers = {"g": adam(c, self.g)}
        self.generators = {"AtoB": self.g}
        if c.lambda_features:
            self.features = FeatureLoss(_backbone(c.features))
        if c.lambda_gan:
            self.d = new_discriminator(c, in_channels=4)
            self.optimizers["d"] = adam(c, self.d)

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """One update of `d`, if there is one, then one of `g`.

        Args:
            batch: `photo`, (N, 3, H, W), and `mask`, (N, 1, H, W), 1 in the hole and -1 elsewhere.
        """
        c, photo, mask = self.c, batch["photo"], batch["mask"]
        hole = (mask > 0).to(photo)
        drawn = self.g(torch.cat([photo * (1 - hole), mask], dim=1)).to(photo)

        error = (drawn - photo).abs()
        in_hole, outside = _mean(error, hole), _mean(error, 1 - hole)
        squared = _mean(error.square(), hole)
        distance = c.lambda_hole * in_hole + c.lambda_valid * outside + c.lambda_l2 * squared
        losses = {"hole": in_hole, "outside": outside}
        filled = torch.where(hole > 0, drawn, photo)
        if c.lambda_features:
            losses["features"] = self.features(split_lab(filled)[0], split_lab(photo)[0])
            distance = distance + c.lambda_features * losses["features"]
        if not c.lambda_gan:
            update("g", distance)
            return losses

        true, seen = (torch.cat([mask, picture], dim=1) for picture in (photo, filled))
        d_real = self.gan.of_real(self.d(true))
        update("d", d_real / 2, more=True)
        d_fake = self.gan.of_fake(self.d(seen.detach()))
        if c.gan_loss == "wgan-gp":
            penalty = gradient_penalty(self.d.forward, photo, filled, condition=mask)
            d_fake = d_fake + c.lambda_gp * penalty
        update("d", d_fake / 2)
        with frozen(self.d):
            adversarial = self.gan.generator(self.d(seen))
            update("g", distance + c.lambda_gan * adversarial)
        return {"d": (d_real + d_fake) / 2, "g": adversarial, **losses}


def _mean(error: Tensor, where: Tensor) -> Tensor:
    """The mean over that part of each picture, then over the pictures: a small hole counts as a large one."""
    parts = (error * where).sum((1, 2, 3)) / (error.shape[1] * where.sum((1, 2, 3))).clamp_min(1)
    return parts.mean()


def _backbone(model: str) -> nn.Module:
    """The backbone of a model of colorize.

    Raises:
        UsageError: there is no such model, or it has no backbone.
    """
    generator = Model.from_pretrained(model).generator()
    if not isinstance(generator, Colorizer):
        raise UsageError(
            f"features {model!r} is no model of colorize: only those have a backbone to compare by"
        )
    return generator.backbone
