"""The base trainer of pix2pix, colorize and inpaint: a discriminator that also sees the condition, an image.

For class labels as the condition see `gan/cgan.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import ImageTrainConfig
from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.trainer import Trainer, Update


class ConditionalGAN(Trainer):
    """A trainer whose discriminator `d` scores an image together with its condition.

    The condition is what the generator starts from: the image to translate, the lightness of a photo, or the
    mask of its holes. The loss is eq. 1 of arXiv:1611.07004, with the adversarial loss that `gan_loss`
    selects.

    Attributes:
        d: the discriminator, which takes the condition and the image concatenated along the channels.
            Set by the subclass, together with an optimizer `d`. A subclass that trains without an adversarial
            loss sets neither.
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
            condition: (N, K, H, W), K condition channels.
            real, fake: (N, C, H, W); `fake` is detached.
        """
        d_real = self.gan.real_loss(self.score(condition, real))
        update.accumulate("d", d_real / 2)
        d_fake = self.gan.fake_loss(self.score(condition, fake.detach()))
        update("d", (d_fake + self.weighted_gradient_penalty(condition, real, fake)) / 2)
        return (d_real + d_fake) / 2

    def adversarial_loss(self, condition: Tensor, fake: Tensor) -> Tensor:
        """Return the adversarial loss of the generator, which is low if `d` takes `fake` for real."""
        return self.gan.generator_loss(self.score(condition, fake))

    def score(self, condition: Tensor, image: Tensor) -> Tensor:
        """Return the scores of images given their condition, (N, 1, h, w)."""
        scores: Tensor = self.d(torch.cat([condition, image], dim=1))
        return scores

    def weighted_gradient_penalty(self, condition: Tensor, real: Tensor, fake: Tensor) -> Tensor | float:
        """Return the gradient penalty times `lambda_gp`; 0 for losses other than WGAN-GP's."""
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        return self.c.lambda_gp * gradient_penalty(self.d, real, fake, condition=condition)
