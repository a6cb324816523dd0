"""The inpainting trainer: L1 by region (arXiv:1804.07723), L2 and a GAN loss (arXiv:1604.07379)."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor, nn

from translate.errors import UsageError
from translate.images.color.lab import split_lab
from translate.losses import PerceptualLoss, masked_mean
from translate.methods.adversary import Adversary
from translate.methods.building import build_augmentation, build_discriminator, build_generator, create_adam
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.models import Model, installed_models, load_installed_model
from translate.networks import Colorizer


class Inpainting(Trainer):
    """A trainer of `g`, which fills holes, and of `d`, which scores (mask, photo) pairs.

    With `lambda_gan` 0 there is no `d`.
    """

    def __init__(self, c: InpaintConfig) -> None:
        super().__init__()
        self.c = c
        self.g = build_generator(c, in_channels=4, out_channels=3)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"g": create_adam(c, "g", self.g)}
        self.generators = {"inpaint": self.g}
        if c.lambda_features:
            self.features = PerceptualLoss(_load_backbone(c.features))
        if c.lambda_gan:
            self.d, self.augment = build_discriminator(c, 3, condition_channels=1), build_augmentation(c, 1)
            self.adversary = Adversary(c, self.d, self.augment)
            self.optimizers["d"] = create_adam(c, "d", self.d)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, if there is one, then `g`.

        Args:
            batch: `photo`, (N, 3, H, W) in [-1, 1], and `mask`, (N, 1, H, W), 1 in the hole and -1 elsewhere.
        """
        photo, mask = batch["photo"], batch["mask"]
        hole = (mask > 0).to(photo)
        generated = self.g(torch.cat([photo * (1 - hole), mask], dim=1)).to(photo)
        filled = torch.where(hole > 0, generated, photo)

        reconstruction, losses = self.reconstruction_loss(photo, hole, generated, filled)
        if not self.c.lambda_gan:
            update("g", reconstruction)
            return losses

        d_loss = self.adversary.update_discriminator(
            update, progress, real=photo, fake=filled, condition=mask
        )
        with freeze_weights(self.d):
            adversarial = self.adversary.generator_loss(filled, real=photo, condition=mask)
            update("g", reconstruction + self.c.lambda_gan * adversarial)
        return {"d": d_loss, "g": adversarial, **losses, **self.adversary.adapt(progress)}

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary, if there is one."""
        return self.adversary.variant(progress) if self.c.lambda_gan else 0

    def reconstruction_loss(
        self, photo: Tensor, hole: Tensor, generated: Tensor, filled: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the losses against the photo, and its terms to log, by name.

        The terms are L_hole and L_valid (arXiv:1804.07723, section 3.3), the L2 loss in the hole
        (arXiv:1604.07379, eq. 1), and the perceptual loss.

        Args:
            photo: the ground truth, (N, 3, H, W) in [-1, 1].
            hole: (N, 1, H, W), 1 in the hole and 0 elsewhere.
            generated: the generator's output, of the same shape as `photo`.
            filled: the photo with the generated pixels in the hole.
        """
        c = self.c
        error = (generated - photo).abs()
        in_hole, outside = masked_mean(error, hole), masked_mean(error, 1 - hole)
        l2 = masked_mean(error.square(), hole)
        losses = {"hole": in_hole, "outside": outside}
        total = c.lambda_hole * in_hole + c.lambda_valid * outside + c.lambda_l2 * l2
        if c.lambda_features:
            losses["features"] = self.features(split_lab(filled)[0], split_lab(photo)[0])
            total = total + c.lambda_features * losses["features"]
        return total, losses


def _load_backbone(model: str) -> nn.Module:
    """Load the backbone of a colorization model.

    Raises:
        UsageError: there is no such model, or it has no backbone.
    """
    is_installed = model in installed_models()
    source = load_installed_model(model) if is_installed else Model.from_pretrained(model)
    generator = source.generator()
    if not isinstance(generator, Colorizer):
        raise UsageError(
            f"features {model!r} has no backbone: give a model of colorize whose generator is the colorizer"
        )
    return generator.backbone
