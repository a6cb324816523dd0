"""Adversarial losses, each a pair of a discriminator loss and a generator loss, and the gradient penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.compiling import run_eagerly


def _at_least_float32(scores: Tensor) -> Tensor:
    """Convert half precision to float32, because a mean over half-precision scores loses digits."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


@dataclass(frozen=True)
class GANLoss:
    """A pair of losses over a discriminator's logits: one for the discriminator, one for the generator.

    The scores have any shape, (N, 1, h, w) for a PatchGAN; they are unbounded, and higher means more real.
    Each loss is a scalar in float32 or better. `discriminator_loss` is the sum of `real_loss` and
    `fake_loss`, without the factor 1/2 of some papers.

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

    def discriminator_loss(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator loss on the scores of real and of generated images."""
        return self.real_loss(real) + self.fake_loss(fake)

    def real_loss(self, scores: Tensor) -> Tensor:
        """Return the discriminator loss on the scores of real images."""
        return self.discriminator_on_real(_at_least_float32(scores))

    def fake_loss(self, scores: Tensor) -> Tensor:
        """Return the discriminator loss on the scores of generated images."""
        return self.discriminator_on_fake(_at_least_float32(scores))

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Return the generator loss on the scores of generated images."""
        return self.generator_on_fake(_at_least_float32(fake))


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


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Return WGAN-GP's penalty E[(|grad critic(x)| - 1)^2], x on random lines between real and fake images.

    arXiv:1704.00028, eq. 3.

    Args:
        critic: scores (N, C, H, W) images.
        real, fake: (N, C, H, W), no gradient needed.

    Returns:
        A scalar whose gradient reaches the critic's weights.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    mixed = torch.lerp(real.detach(), fake.detach().to(real.dtype), share).requires_grad_()
    with run_eagerly("torch.compile cannot differentiate the gradient penalty: it runs uncompiled"):
        scores = critic(mixed)
    (gradient,) = torch.autograd.grad(_at_least_float32(scores).sum(), mixed, create_graph=True)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1).square().mean()
