"""The adversary of a generator: a discriminator with its losses and its gradient penalties."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor, nn

from translate.config import AdversarialConfig
from translate.losses import (
    GAN_LOSSES,
    PatchScores,
    RelativisticLoss,
    gradient_penalty,
    split_scales,
    zero_centered_penalty,
)
from translate.methods.building import can_batch
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
        self.gan = RelativisticLoss() if c.gan_loss == "relativistic" else GAN_LOSSES[c.gan_loss]

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
        activations of one forward pass are in memory at a time; a relativistic loss needs both together.

        Args:
            real, fake: (N, C, H, W) in [-1, 1]; `fake` is detached.
            condition: (N, K, H, W), K condition channels.
        """
        if isinstance(self.gan, RelativisticLoss):
            loss = self.discriminator_loss(real=real, fake=fake, condition=condition)
            update("d", (loss + self.penalty(progress, real=real, fake=fake, condition=condition)) / 2)
            return loss / 2
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
        real_scores, fake_scores = self.score_both(real, fake.detach(), condition)
        self.observe(real_scores)
        return self.gan.discriminator_loss(real=real_scores, fake=fake_scores)

    def penalty(
        self, progress: StepProgress, *, real: Tensor, fake: Tensor, condition: Tensor | None = None
    ) -> Tensor | float:
        """Return the weighted gradient penalties on `d`, to be added to its loss; 0 if a step has none.

        They are that of WGAN-GP, or R1 and R2 with lazy regularization.
        """
        if self.c.gan_loss == "wgan-gp":
            return self.c.lambda_gp * gradient_penalty(lambda x: self.score(x, condition), real, fake)
        if not self.is_regularized(progress):
            return 0.0
        # Lazy regularization: n times as strong every n-th step (arXiv:1912.04958, appendix B). With
        # c = n / (n + 1), the paper also multiplies Adam's learning rate by c and raises its betas to the
        # power of c. That is not done here.
        penalties = [
            self.c.penalty_interval * gamma * self.penalty_at(images, condition)
            for gamma, images in zip(self.c.penalty_weights, (real, fake), strict=True)
            if gamma
        ]
        return sum(penalties[1:], penalties[0])

    def penalty_at(self, images: Tensor, condition: Tensor | None) -> Tensor:
        """Return R1 at real images, or R2 at generated ones, augmented as `d` sees them."""
        inputs = self.prepare(images.detach(), condition)
        condition, image = inputs[:, : -images.shape[1]], inputs[:, -images.shape[1] :]
        return zero_centered_penalty(lambda x: self.d(torch.cat([condition, x], dim=1)), image)

    def is_regularized(self, progress: StepProgress) -> bool:
        """Return whether the next step has R1 or R2."""
        return any(self.c.penalty_weights) and progress.step % self.c.penalty_interval == 0

    def generator_loss(
        self, fake: Tensor, *, real: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Return the adversarial loss of the generator, which is low if `d` takes `fake` for real.

        Args:
            real: real images of the same shape, which a relativistic loss compares with, pair by pair.
        """
        scores = self.score(fake, condition)
        if not isinstance(self.gan, RelativisticLoss):
            return self.gan.generator_loss(scores)
        assert real is not None
        with torch.no_grad():  # The generator has no part in them.
            real_scores = self.score(real, condition)
        return self.gan.generator_loss(scores, real=real_scores)

    def variant(self, progress: StepProgress) -> Hashable:
        """Return what selects the kind of the next step; see `Trainer.variant`."""
        return self.is_regularized(progress)

    def observe(self, real_scores: PatchScores) -> None:
        """Show an adaptive augmentation the scores of real images, by which it measures overfitting."""
        if isinstance(self.augment, AdaptiveAugment):
            patches = [scores.flatten(1) for scores in split_scales(real_scores)]
            self.augment.observe(torch.cat(patches, dim=1))

    def adapt(self, progress: StepProgress, name: str = "ada_p") -> dict[str, Tensor]:
        """Adapt an adaptive augmentation at the end of a step; return its probability, to log, by name.

        With gradient accumulation, that is after the last microbatch: all of them have one probability.
        """
        if not isinstance(self.augment, AdaptiveAugment) or not progress.is_last_microbatch:
            return {}
        self.augment.adapt(progress.fraction_tensor)
        return {name: self.augment.p.clone()}

    def score(self, image: Tensor, condition: Tensor | None = None) -> PatchScores:
        """Return the scores of images given their condition, (N, 1, h, w) or such of several scales."""
        scores: PatchScores = self.d(self.prepare(image, condition))
        return scores

    def score_both(
        self, real: Tensor, fake: Tensor, condition: Tensor | None
    ) -> tuple[PatchScores, PatchScores]:
        """Return the scores of real and of generated images, from one forward pass if possible."""
        images = self.prepare(real, condition), self.prepare(fake, condition)
        if not can_batch(self.d, *images):
            return self.d(images[0]), self.d(images[1])
        scores = self.d(torch.cat(images))
        if isinstance(scores, tuple):
            halves = [scale.chunk(2) for scale in scores]
            return tuple(real for real, _ in halves), tuple(fake for _, fake in halves)
        real_scores, fake_scores = scores.chunk(2)
        return real_scores, fake_scores

    def prepare(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return what `d` sees of images: the channels of their condition and their own, augmented."""
        if condition is not None and self.c.sees_condition:
            image = torch.cat([condition, image], dim=1)
        augmented: Tensor = self.augment(image)
        return augmented
