"""The trainer of two-stage inpainting with contextual attention (arXiv:1801.07892)."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.losses import GAN_LOSSES, gradient_penalty, masked_mean, spatial_discount
from translate.methods.building import build_critics, build_generator, create_adam
from translate.methods.inpaint.config import InpaintConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights

LAMBDA_COARSE = 1.2  # Weight of the L1 losses of the coarse image, relative to those of the refined one.
GAMMA = 0.9  # Discount of the L1 loss in the hole for each pixel from its border, as in the authors' code.

Boxes = tuple[Tensor, Tensor]  # The rows and the columns of a square box in each image, (N, side) each.


class TwoStageInpainting(Trainer):
    """A trainer of `g`, which fills one box coarsely and refines it, and of two critics (section 3).

    `d_local` scores the box, and `d_global` the whole image. With `lambda_gan` 0 there are no critics.
    """

    gan = GAN_LOSSES["wgan-gp"]
    discount: Tensor

    def __init__(self, c: InpaintConfig) -> None:
        super().__init__()
        self.c, self.side = c, c.image_size // 2
        self.g = build_generator(c, in_channels=4, out_channels=3)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"g": create_adam(c, "g", self.g)}
        self.generators = {"inpaint": self.g}
        discount = spatial_discount(self.side, self.side, GAMMA).float()
        self.register_buffer("discount", discount, persistent=False)
        if c.lambda_gan:
            self.d_local, self.d_global = build_critics(c, local_size=self.side)
            self.optimizers["d"] = create_adam(c, "d", self.d_local, self.d_global)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update the critics k times, each time on new photos, then `g` once, on the last of them.

        Args:
            batch: `photo`, (k N, 3, S, S) in [-1, 1], and `mask`, (k N, 1, S, S), 1 in the hole and -1
                elsewhere; a hole is centered in a box of S / 2 pixels a side.
        """
        photos, masks = (batch[name].chunk(self.c.d_steps) for name in ("photo", "mask"))
        for x, mask in zip(photos, masks, strict=True):
            m = (mask > 0).to(x)
            masked, boxes = torch.cat([x * (1 - m), mask], dim=1), find_boxes(m, self.side)
            if self.c.lambda_gan:
                with freeze_weights(self.g):
                    z = torch.where(m > 0, self.g(masked).to(x), x)
                d_loss = self.gan.discriminator_loss(real=self.score(x, boxes), fake=self.score(z, boxes))
                local = gradient_penalty(self.d_local, *(crop(image, boxes) for image in (x, z, m)))
                penalty = local + gradient_penalty(self.d_global, x, z, m)
                update("d", d_loss + self.c.lambda_gp * penalty)

        refined, coarse = (image.to(x) for image in self.g(masked, coarse=True))
        hole, valid = self.l1_losses(refined, x, m, boxes)
        coarse_hole, coarse_valid = self.l1_losses(coarse, x, m, boxes)
        losses = {"hole": hole, "outside": valid, "coarse": coarse_hole}
        reconstruction = self.c.lambda_hole * (hole + LAMBDA_COARSE * coarse_hole)
        reconstruction = reconstruction + self.c.lambda_valid * (valid + LAMBDA_COARSE * coarse_valid)
        if not self.c.lambda_gan:
            update("g", reconstruction)
            return losses
        with freeze_weights(self.d_local, self.d_global):
            z = torch.where(m > 0, refined, x)
            g_loss = self.gan.generator_loss(self.score(z, boxes))
            update("g", reconstruction + self.c.lambda_gan * g_loss)
        return {"d": d_loss, "g": g_loss, **losses}

    def score(self, image: Tensor, boxes: Boxes) -> tuple[Tensor, Tensor]:
        """Return the scores of the boxes and of the whole images, (N, 1) each; their losses add up."""
        return self.d_local(crop(image, boxes)), self.d_global(image)

    def l1_losses(self, image: Tensor, x: Tensor, m: Tensor, boxes: Boxes) -> tuple[Tensor, Tensor]:
        """Return the spatially discounted L1 loss in the boxes, and the L1 loss outside of the holes.

        Args:
            image, x: the generated images and the photos, (N, 3, S, S).
            m: (N, 1, S, S), 1 in the hole and 0 elsewhere.
        """
        error = (image - x).abs()
        return (crop(error, boxes) * self.discount).mean(), masked_mean(error, 1 - m)


def find_boxes(hole: Tensor, side: int) -> Boxes:
    """Return the square boxes of `side` pixels around the centers of holes.

    Args:
        hole: (N, 1, H, W), 1 in the hole of an image and 0 elsewhere.
    """
    rows, columns = (_centered(hole.amax(dim=(1, dim)), side) for dim in (3, 2))
    return rows, columns


def _centered(inside: Tensor, side: int) -> Tensor:
    """Return the places of an interval around the ones of each row of (N, n) zeros and ones, (N, side)."""
    first, length = inside.argmax(dim=1), inside.sum(dim=1).long()
    start = (first + (length - side) // 2).clamp(0, inside.shape[1] - side)
    return start[:, None] + torch.arange(side, device=inside.device)


def crop(image: Tensor, boxes: Boxes) -> Tensor:
    """Crop (N, C, H, W) images to the boxes, (N, C, side, side)."""
    rows, columns = boxes
    _, channels, _, width = image.shape
    strips = image.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return strips.gather(3, columns[:, None, None, :].expand(-1, channels, rows.shape[1], -1))
