"""The adversarial loss of a conditional GAN, which pix2pix, colorize and inpaint share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import ImageTrainConfig
from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.trainer import Trainer, Update


class ConditionalGAN(Trainer):
    """A trainer whose discriminator `d` scores an image together with its condition.

    The condition is what the generator starts from: the image to translate, the lightness of a photo, or the
    mask of its holes. The loss is eq. 1 of arXiv:1611.07004, where `gan` may be another adversarial loss.

    Attributes:
        d: the discriminator, which takes the condition and the image concatenated along the channels.
            Subclasses set it, and an optimizer `d` for it; without an adversarial loss, neither.
        gan: the pair of discriminator and generator loss.
    """

    c: ImageTrainConfig
    d: nn.Module

    def __init__(self, c: ImageTrainConfig) -> None:
        super().__init__()
        self.c = c
        self.gan = GAN_LOSSES[c.gan_loss]

    def update_discriminator(
        self, update: Update, *, condition: Tensor, real: Tensor, fake: Tensor
    ) -> Tensor:
        """Update `d` on real and on generated images; return its loss without the gradient penalty.

        The gradients of the two halves of the loss accumulate one after the other, so that only the
        activations of one forward pass are in memory at a time.

        Args:
            condition: (N, K, H, W).
            real, fake: (N, C, H, W); the loss is not differentiated with respect to `fake`.
        """
        d_real = self.gan.real_loss(self.discriminate(condition, real))
        update.accumulate("d", d_real / 2)
        d_fake = self.gan.fake_loss(self.discriminate(condition, fake.detach()))
        update("d", (d_fake + self.weighted_penalty(condition, real, fake)) / 2)
        return (d_real + d_fake) / 2

    def adversarial_loss(self, condition: Tensor, fake: Tensor) -> Tensor:
        """Return the adversarial loss of the generator, by which `fake` is to pass for real."""
        return self.gan.generator_loss(self.discriminate(condition, fake))

    def discriminate(self, condition: Tensor, image: Tensor) -> Tensor:
        """Return the scores of images given their condition, (N, 1, h, w)."""
        scores: Tensor = self.d(torch.cat([condition, image], dim=1))
        return scores

    def weighted_penalty(self, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor | float:
        """Return the gradient penalty times `lambda_gp`; 0 for losses other than WGAN-GP's."""
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        return self.c.lambda_gp * gradient_penalty(self.d, real, fake, condition=condition)
