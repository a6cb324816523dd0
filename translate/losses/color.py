"""The cost of a choice among classes of colour (arXiv:1603.08511, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEMORY = 0.99  # of the frequencies, from step to step
NEVER = 1e-8  # as frequent as a colour that was never seen is taken to be


class ColorClasses(nn.Module):
    """Cross-entropy in which rare colours weigh more, by how often each was seen so far (eq. 2 to 4).

    Args:
        side: classes along a, and along b, evenly from -1 to 1.
        rebalance: 0 weighs every pixel alike, 1 every colour.
    """

    frequency: Tensor

    def __init__(self, side: int, rebalance: float) -> None:
        super().__init__()
        self.side, self.rebalance = side, rebalance
        self.register_buffer("frequency", torch.full((side**2,), 1 / side**2))

    def forward(self, scores: Tensor, chroma: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            scores: (N, side * side, H, W) logits.
            chroma: (N, 2, H, W) in [-1, 1], the true a and b.
        """
        classes, shares = soft_classes(chroma, self.side)
        costs = -scores.float().log_softmax(1).gather(1, classes)
        seen = torch.zeros_like(self.frequency).index_add_(0, classes.flatten(), shares.flatten())
        with torch.no_grad():
            self.frequency.lerp_(seen / seen.sum(), 1 - MEMORY)
        rarity = 1 / (self.rebalance * self.frequency + (1 - self.rebalance) / self.side**2).clamp_min(NEVER)
        weights = shares * (rarity / (self.frequency * rarity).sum())[classes]
        return (weights * costs).sum() / (shares.shape[0] * shares[0, 0].numel())


def soft_classes(chroma: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The four classes around a colour and how near it is to each; their mean is the colour.

    Args:
        chroma: (N, 2, H, W) in [-1, 1].

    Returns:
        classes (N, 4, H, W) int64, shares (N, 4, H, W) that add up to 1.
    """
    place = (chroma.float().clamp(-1, 1) + 1) / 2 * (side - 1)
    low = place.floor().clamp(max=side - 2)
    (a, b), (near_a, near_b) = low.long().unbind(1), (place - low).unbind(1)
    corners = [(a + i) * side + b + j for i in (0, 1) for j in (0, 1)]
    shares = [(near_a if i else 1 - near_a) * (near_b if j else 1 - near_b) for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners, dim=1), torch.stack(shares, dim=1)
