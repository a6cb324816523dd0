"""Adversarial losses, each a pair of a discriminator loss and a generator loss, and gradient penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.compiling import run_eagerly
from translate.mixed_precision import at_least_float32

# What a discriminator returns: scores of any shape, (N, 1, h, w) for a PatchGAN, or those of several scales.
PatchScores = Tensor | tuple[Tensor, ...]


def split_scales(scores: PatchScores) -> tuple[Tensor, ...]:
    """Return the scores of each scale, in float32 or better: a mean over half precision loses digits."""
    scales = scores if isinstance(scores, tuple) else (scores,)
    return tuple(map(at_least_float32, scales))


def _sum_over_scales(loss: Callable[..., Tensor], *scores: PatchScores) -> Tensor:
    """Return the sum of the losses of the scales (arXiv:1711.11585, eq. 2; arXiv:2111.01007)."""
    scales = zip(*map(split_scales, scores), strict=True)
    return reduce(torch.add, (loss(*scale) for scale in scales))


@dataclass(frozen=True)
class GANLoss:
    """A pair of losses over a discriminator's logits: one for the discriminator, one for the generator.

    The scores are unbounded, and higher means more real. Each loss is a scalar in float32 or better.
    `discriminator_loss` is the sum of `real_loss` and `fake_loss`, without the factor 1/2 of some papers.
    The losses of several scales add up.

    Attributes:
        discriminator_on_real: the discriminator loss on the scores of real images.
        discriminator_on_fake: the discriminator loss on the scores of generated images.
        generator_on_fake: the generator loss on the scores of generated images.
        boundary: the score between real and generated images; the scores of a WGAN have none.
    """

    discriminator_on_real: Callable[[Tensor], Tensor]
    discriminator_on_fake: Callable[[Tensor], Tensor]
    generator_on_fake: Callable[[Tensor], Tensor]
    boundary: float = 0.0

    def discriminator_loss(self, *, real: PatchScores, fake: PatchScores) -> Tensor:
        """Return the discriminator loss on the scores of real and of generated images."""
        return self.real_loss(real) + self.fake_loss(fake)

    def real_loss(self, scores: PatchScores) -> Tensor:
        """Return the discriminator loss on the scores of real images."""
        return _sum_over_scales(self.discriminator_on_real, scores)

    def fake_loss(self, scores: PatchScores) -> Tensor:
        """Return the discriminator loss on the scores of generated images."""
        return _sum_over_scales(self.discriminator_on_fake, scores)

    def generator_loss(self, fake: PatchScores) -> Tensor:
        """Return the generator loss on the scores of generated images."""
        return _sum_over_scales(self.generator_on_fake, fake)


class RelativisticLoss:
    """The relativistic pairing loss of R3GAN: a real image should score higher than a generated one.

    arXiv:2501.05441, eq. 2 with f(t) = -log(1 + exp(-t)). The scores pair by index: the i-th real image with
    the i-th generated one, and each of its patches with the patch at the same place. Their shapes must be
    equal. R1 and R2 belong to it (eq. 3); without them, training need not converge.
    """

    def discriminator_loss(self, *, real: PatchScores, fake: PatchScores) -> Tensor:
        """Return the discriminator loss on the scores of real and of generated images."""
        return _sum_over_scales(_pairing_loss, real, fake)

    def generator_loss(self, fake: PatchScores, *, real: PatchScores) -> Tensor:
        """Return the generator loss on the scores of generated and of real images."""
        return _sum_over_scales(_pairing_loss, fake, real)


def _pairing_loss(higher: Tensor, lower: Tensor) -> Tensor:
    if higher.shape != lower.shape:
        raise ValueError(f"scores of shapes {tuple(higher.shape)} and {tuple(lower.shape)} do not pair")
    return F.softplus(lower - higher).mean()


def _negative_mean(scores: Tensor) -> Tensor:
    return -scores.mean()


def _hinge_real(scores: Tensor) -> Tensor:
    return F.relu(1 - scores).mean()


def _hinge_fake(scores: Tensor) -> Tensor:
    return F.relu(1 + scores).mean()


def _with_target(loss: Callable[[Tensor, Tensor], Tensor], target: float) -> Callable[[Tensor], Tensor]:
    return lambda scores: loss(scores, torch.full_like(scores, target))


_bce, _mse = F.binary_cross_entropy_with_logits, F.mse_loss


def vanilla(smoothing: float = 0.0) -> GANLoss:
    """Return the original GAN losses: binary cross-entropy, with the non-saturating generator loss.

    arXiv:1406.2661, eq. 1 and section 3.

    Args:
        smoothing: one-sided label smoothing: the target of real images is 1 - smoothing (arXiv:1606.03498,
            section 3.4).
    """
    return GANLoss(
        discriminator_on_real=_with_target(_bce, 1 - smoothing),
        discriminator_on_fake=_with_target(_bce, 0),
        generator_on_fake=_with_target(_bce, 1),
    )


# arXiv:1701.07875, eq. 2 and 3. The Lipschitz constraint on the critic is the trainer's: "wgan" clips the
# weights, "wgan-gp" (arXiv:1704.00028, eq. 3) adds `gradient_penalty`.
_WASSERSTEIN = GANLoss(
    discriminator_on_real=_negative_mean, discriminator_on_fake=torch.mean, generator_on_fake=_negative_mean
)

GAN_LOSSES = {
    "vanilla": vanilla(),
    # arXiv:1611.04076, eq. 2 with a = 0 and b = c = 1.
    "lsgan": GANLoss(
        discriminator_on_real=_with_target(_mse, 1),
        discriminator_on_fake=_with_target(_mse, 0),
        generator_on_fake=_with_target(_mse, 1),
        boundary=0.5,
    ),
    # arXiv:1705.02894.
    "hinge": GANLoss(
        discriminator_on_real=_hinge_real,
        discriminator_on_fake=_hinge_fake,
        generator_on_fake=_negative_mean,
    ),
    # DCLGAN's: a translation that passes for real has no gradient, as a real image has none for `d`.
    "hinge-real": GANLoss(
        discriminator_on_real=_hinge_real,
        discriminator_on_fake=_hinge_fake,
        generator_on_fake=_hinge_real,
    ),
    "wgan": _WASSERSTEIN,
    "wgan-gp": _WASSERSTEIN,
}


def gradient_penalty(
    critic: Callable[[Tensor], PatchScores], real: Tensor, fake: Tensor, region: Tensor | None = None
) -> Tensor:
    """Return WGAN-GP's penalty E[(|grad critic(x)| - 1)^2], x on random lines between real and fake images.

    arXiv:1704.00028, eq. 3.

    Args:
        critic: scores (N, C, H, W) images.
        real, fake: (N, C, H, W), no gradient needed.
        region: (N, 1, H, W), 1 where the gradient counts and 0 elsewhere; by default, it counts everywhere.

    Returns:
        A scalar whose gradient reaches the critic's weights.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    mixed = torch.lerp(real.detach(), fake.detach().to(real.dtype), share).requires_grad_()
    with run_eagerly("torch.compile cannot differentiate the gradient penalty: it runs uncompiled"):
        scores = critic(mixed)
    (gradient,) = torch.autograd.grad(_sum_over_scales(torch.sum, scores), mixed, create_graph=True)
    if region is not None:
        gradient = gradient * region
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1).square().mean()


def zero_centered_penalty(critic: Callable[[Tensor], PatchScores], images: Tensor) -> Tensor:
    """Return the zero-centred gradient penalty E[|grad D(x)|^2] / 2: R1 of real images, R2 of generated ones.

    arXiv:1801.04406, eq. 9 and 10, without the weight gamma. Each patch that is scored has a penalty of its
    own, of which this is the mean over the patches, as in the losses, and the sum over the scales. So many
    gradients would take too long: the gradient of the scores' sum with random signs, divided by the root of
    their number, has the same squared length on average. Of a single score it is exact.

    Args:
        critic: scores (N, C, H, W) images.
        images: (N, C, H, W), no gradient needed.

    Returns:
        A scalar whose gradient reaches the critic's weights. The signs come from torch's random number
        generator.
    """
    x = at_least_float32(images.detach()).requires_grad_()
    with run_eagerly("torch.compile cannot differentiate the gradient penalty: it runs uncompiled"):
        scales = split_scales(critic(x))
    signs = map(_draw_signs, scales)
    totals = [(s * scores).sum() / scores[0].numel() ** 0.5 for s, scores in zip(signs, scales, strict=True)]
    (gradient,) = torch.autograd.grad(reduce(torch.add, totals), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1).mean() / 2


def _draw_signs(scores: Tensor) -> Tensor:
    """Draw 1 or -1 for each score; 1 if an image has one score, whose gradient may reach other images."""
    return torch.ones_like(scores) if scores[0].numel() == 1 else torch.randint_like(scores, 2) * 2 - 1
