"""Filling holes: distances by place (arXiv:1804.07723, eq. 1) and an adversary (arXiv:1604.07379)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.errors import UsageError
from translate.images.color.lab import split_lab
from translate.losses import GAN_LOSSES, FeatureLoss, gradient_penalty
from translate.methods.building import create_adam, new_discriminator, new_generator
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.models import Model
from translate.networks import Colorizer


class Inpainting(Trainer):
    """`g` fills the holes; `d` judges the filled photo, knowing where the holes were."""

    def __init__(self, c: InpaintConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]
        self.g = new_generator(c, in_channels=4, out_channels=3)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"g": create_adam(c, "g", self.g)}
        self.generators = {"inpaint": self.g}
        if c.lambda_features:
            self.features = FeatureLoss(_backbone(c.features))
        if c.lambda_gan:
            self.d = new_discriminator(c, in_channels=4)
            self.optimizers["d"] = create_adam(c, "d", self.d)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, if there is one, then `g`.

        Args:
            batch: `photo`, (N, 3, H, W), and `mask`, (N, 1, H, W), 1 in the hole and -1 elsewhere.
        """
        c, photo, mask = self.c, batch["photo"], batch["mask"]
        hole = (mask > 0).to(photo)
        generated = self.g(torch.cat([photo * (1 - hole), mask], dim=1)).to(photo)

        error = (generated - photo).abs()
        in_hole, outside = _mean(error, hole), _mean(error, 1 - hole)
        squared = _mean(error.square(), hole)
        distance = c.lambda_hole * in_hole + c.lambda_valid * outside + c.lambda_l2 * squared
        losses = {"hole": in_hole, "outside": outside}
        filled = torch.where(hole > 0, generated, photo)
        if c.lambda_features:
            losses["features"] = self.features(split_lab(filled)[0], split_lab(photo)[0])
            distance = distance + c.lambda_features * losses["features"]
        if not c.lambda_gan:
            update("g", distance)
            return losses

        real, fake = (torch.cat([mask, image], dim=1) for image in (photo, filled))
        d_real = self.gan.real_loss(self.d(real))
        update.accumulate("d", d_real / 2)
        d_fake = self.gan.fake_loss(self.d(fake.detach()))
        if c.gan_loss == "wgan-gp":
            d_fake = d_fake + c.lambda_gp * gradient_penalty(self.d, photo, filled, condition=mask)
        update("d", d_fake / 2)
        with freeze_weights(self.d):
            adversarial = self.gan.generator(self.d(fake))
            update("g", distance + c.lambda_gan * adversarial)
        return {"d": (d_real + d_fake) / 2, "g": adversarial, **losses}


def _mean(error: Tensor, where: Tensor) -> Tensor:
    """Return the mean over that part of each image, then over the images: small holes count as large ones."""
    parts = (error * where).sum((1, 2, 3)) / (error.shape[1] * where.sum((1, 2, 3))).clamp_min(1)
    return parts.mean()


def _backbone(model: str) -> nn.Module:
    """Load the backbone of a model of colorize.

    Raises:
        UsageError: there is no such model, or it has no backbone.
    """
    generator = Model.from_pretrained(model).generator()
    if not isinstance(generator, Colorizer):
        raise UsageError(
            f"features {model!r} is no model of colorize: only those have a backbone to compare by"
        )
    return generator.backbone
