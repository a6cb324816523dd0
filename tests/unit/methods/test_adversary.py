"""The adversary: what the discriminator sees, and the losses between it and a generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import AdversarialConfig
from translate.methods.adversary import Adversary
from translate.methods.trainer import StepProgress


def images(seed: int, channels: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(3, channels, 4, 4, generator=random, dtype=torch.float64)


class Linear(nn.Module):
    """A linear critic, whose gradient is its weights everywhere."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weights).sum(dim=(1, 2, 3)).view(-1, 1, 1, 1)


def test_the_condition_comes_first_and_the_penalty_does_not_differentiate_it() -> None:
    weights = torch.cat([100 * images(4)[:1], images(5)[:1]], dim=1)
    adversary = Adversary(AdversarialConfig(gan_loss="wgan-gp"), Linear(weights), nn.Identity())
    penalty = adversary.penalty(StepProgress(), real=images(1), fake=images(2), condition=images(3))
    assert isinstance(penalty, Tensor)
    torch.testing.assert_close(penalty.detach(), 10 * (weights[:, 3:].norm() - 1) ** 2)
