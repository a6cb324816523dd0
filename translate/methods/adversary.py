"""The adversary of a generator: a discriminator with its losses and its gradient penalty."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor, nn

from translate.config import AdversarialConfig
from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import forward_batched
from translate.methods.trainer import StepProgress, Update
from translate.networks.augmentation import AdaptiveAugment


class Adversary:
    """A discriminator of images, and the losses between it and a generator that the settings select.

    A conditional method (eq. 1 of arXiv:1611.07004) shows its discriminator each image together with a
    condition, what the generator starts from: the image to translate, the lightness of a photo, or the mask
    of its holes. For class labels as the condition see `gan/cgan.py`.

    It is no module: the trainer registers `d` and `augment` under names of its own, and `freeze_weights`
    freezes `d` around `generator_loss`.

    Args:
        d: the discriminator. It takes images, after the channels of the condition if there is one.
        augment: the augmentation of every image that `d` sees (`build_augmentation`).
    """

    def __init__(self, c: AdversarialConfig, d: nn.Module, augment: nn.Module) -> None:
        self.c, self.d, self.augment = c, d, augment
        self.gan = GAN_LOSSES[c.gan_loss]

    def update_discriminator(
        self,
        update: Update,
        progress: StepProgress,
        *,
        real: Tensor,
        fake: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Update `d` on half of its loss and of its penalty; return half of its loss, without the penalty.

        The gradients on real and on generated images accumulate one after the other, so that only the
        activations of one forward pass are in memory at a time.

        Args:
            real, fake: (N, C, H, W) in [-1, 1]; `fake` is detached.
            condition: (N, K, H, W), K condition channels.
        """
        real_scores = self.score(real, condition)
        self.observe(real_scores)
        real_loss = self.gan.real_loss(real_scores)
        update.accumulate("d", real_loss / 2)
        fake_loss = self.gan.fake_loss(self.score(fake.detach(), condition))
        penalty = self.penalty(progress, real=real, fake=fake, condition=condition)
        update("d", (fake_loss + penalty) / 2)
        return (real_loss + fake_loss) / 2

    def discriminator_loss(self, *, real: Tensor, fake: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the loss of `d` on real and on generated images, scored in one forward pass if possible.

        It is the sum of both parts, without the factor 1/2 of some papers, and without the penalty.

        Args:
            real, fake: (N, C, H, W) in [-1, 1]; `fake` is detached.
            condition: (N, K, H, W), K condition channels.
        """
        inputs = (self.prepare(image, condition) for image in (real, fake.detach()))
        real_scores, fake_scores = forward_batched(self.d, *inputs)
        self.observe(real_scores)
        return self.gan.discriminator_loss(real=real_scores, fake=fake_scores)

    def penalty(
        self, progress: StepProgress, *, real: Tensor, fake: Tensor, condition: Tensor | None = None
    ) -> Tensor | float:
        """Return the weighted gradient penalty on `d`, to be added to its loss; 0 if there is none."""
        if self.c.gan_loss != "wgan-gp":
            return 0.0
        return self.c.lambda_gp * gradient_penalty(lambda image: self.score(image, condition), real, fake)

    def generator_loss(
        self, fake: Tensor, *, real: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Return the adversarial loss of the generator, which is low if `d` takes `fake` for real.

        Args:
            real: real images of the same shape, for a loss that compares both.
        """
        return self.gan.generator_loss(self.score(fake, condition))

    def variant(self, progress: StepProgress) -> Hashable:
        """Return what selects the kind of the next step; see `Trainer.variant`."""
        return 0

    def observe(self, real_scores: Tensor) -> None:
        """Show an adaptive augmentation the scores of real images, by which it measures overfitting."""
        if isinstance(self.augment, AdaptiveAugment):
            self.augment.observe(real_scores)

    def adapt(self, progress: StepProgress, name: str = "ada_p") -> dict[str, Tensor]:
        """Adapt an adaptive augmentation at the end of a step; return its probability, to log, by name."""
        if not isinstance(self.augment, AdaptiveAugment):
            return {}
        self.augment.adapt(progress.fraction_tensor)
        return {name: self.augment.p.clone()}

    def score(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the scores of images given their condition, (N, 1, h, w)."""
        scores: Tensor = self.d(self.prepare(image, condition))
        return scores

    def prepare(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return what `d` sees of images: the channels of their condition and their own, augmented."""
        joined = image if condition is None else torch.cat([condition, image], dim=1)
        augmented: Tensor = self.augment(joined)
        return augmented
