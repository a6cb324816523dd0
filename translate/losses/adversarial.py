"""Adversarial losses, as pairs: what the discriminator minimises and what the generator does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.compiling import run_eagerly


def _full(scores: Tensor) -> Tensor:
    """Scores in float32 or better: means over half-precision scores lose digits."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


@dataclass(frozen=True)
class GANLoss:
    """A pair of losses over scores of shape (N, 1, h, w), unbounded, high for real.

    Each side is a sum over its judgements: `discriminator(real=..., fake=...)` adds what real
    and generated images cost, `generator(fake)` is the cost of not being taken for real.
    """

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator_loss: Callable[[Tensor], Tensor]

    def discriminator(self, *, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss, a scalar."""
        return self.real_loss(real) + self.fake_loss(fake)

    def real_loss(self, scores: Tensor) -> Tensor:
        """What real images cost the discriminator, a scalar."""
        return self.real(_full(scores))

    def fake_loss(self, scores: Tensor) -> Tensor:
        """What generated images cost the discriminator, a scalar."""
        return self.fake(_full(scores))

    def generator(self, fake: Tensor) -> Tensor:
        """The generator's loss, a scalar."""
        return self.generator_loss(_full(fake))


def _minus_mean(scores: Tensor) -> Tensor:
    return -scores.mean()


def _towards(loss: Callable[[Tensor, Tensor], Tensor], target: float) -> Callable[[Tensor], Tensor]:
    return lambda scores: loss(scores, torch.full_like(scores, target))


_bce, _mse = F.binary_cross_entropy_with_logits, F.mse_loss


def vanilla(smoothing: float = 0.0) -> GANLoss:
    """arXiv:1406.2661, eq. 1, in the non-saturating form of section 3.

    Args:
        smoothing: how far under 1 real images are to score (arXiv:1606.03498, section 3.4).
    """
    real, fake, generator_loss = (_towards(_bce, target) for target in (1 - smoothing, 0, 1))
    return GANLoss(real=real, fake=fake, generator_loss=generator_loss)


GAN_LOSSES = {
    "vanilla": vanilla(),
    # arXiv:1611.04076, eq. 2 with a = 0, b = c = 1
    "lsgan": GANLoss(real=_towards(_mse, 1), fake=_towards(_mse, 0), generator_loss=_towards(_mse, 1)),
    # arXiv:1705.02894
    "hinge": GANLoss(
        real=lambda scores: F.relu(1 - scores).mean(),
        fake=lambda scores: F.relu(1 + scores).mean(),
        generator_loss=_minus_mean,
    ),
    # arXiv:1701.07875, eq. 2 and 3; the trainer clips the weights
    "wgan": GANLoss(real=_minus_mean, fake=torch.mean, generator_loss=_minus_mean),
    # arXiv:1704.00028, eq. 3; the trainer adds `gradient_penalty`
    "wgan-gp": GANLoss(real=_minus_mean, fake=torch.mean, generator_loss=_minus_mean),
}


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, condition: Tensor | None = None
) -> Tensor:
    """E[(|grad of critic at x| - 1)^2] on random points between real and fake (arXiv:1704.00028, eq. 3).

    Args:
        critic: scores (N, C, H, W) images; called on the mixture, after `condition` if given.
        real, fake: (N, C, H, W), no gradient needed.
        condition: (N, K, H, W), put before the mixture's channels and not differentiated.

    Returns:
        A scalar whose gradient reaches the critic's weights.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    mixed = torch.lerp(real.detach(), fake.detach().to(real.dtype), share).requires_grad_()
    with run_eagerly("the gradient penalty, which torch.compile cannot differentiate"):
        scores = critic(mixed if condition is None else torch.cat([condition, mixed], dim=1))
    (slope,) = torch.autograd.grad(_full(scores).sum(), mixed, create_graph=True)
    norm: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return (norm - 1).square().mean()
