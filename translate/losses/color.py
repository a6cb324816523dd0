"""The colourisation loss: cross-entropy over quantised colours, with class rebalancing (arXiv:1603.08511)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOMENTUM = 0.99  # Decay of the moving average of the colours' frequencies, per step.
MIN_FREQUENCY = 1e-8  # A colour that never occurred counts as this frequent, so that its weight is finite.


class RebalancedCrossEntropy(nn.Module):
    """Cross-entropy over colour bins in which rare colours weigh more (section 2.2, eq. 2 to 4).

    The ab plane is a grid of bins x bins classes. The weights come from a moving average of the frequencies
    in the training images, instead of the paper's fixed prior over ImageNet, and are 1 on average.

    Args:
        bins: classes along a and along b, evenly spaced from -1 to 1.
        rebalance: 0 weighs all pixels alike, 1 all colours; the paper's lambda is 1 - rebalance.
    """

    frequency: Tensor

    def __init__(self, bins: int, rebalance: float) -> None:
        super().__init__()
        self.bins, self.rebalance = bins, rebalance
        self.register_buffer("frequency", torch.full((bins**2,), 1 / bins**2))

    def forward(self, logits: Tensor, chroma: Tensor) -> Tensor:
        """Update the frequencies with the target colours; return the loss, a scalar.

        Args:
            logits: (N, bins * bins, H, W).
            chroma: (N, 2, H, W), the target a and b in [-1, 1].
        """
        classes, shares = soft_encode(chroma, self.bins)
        log_likelihoods = -logits.float().log_softmax(1).gather(1, classes)
        counts = torch.zeros_like(self.frequency).index_add_(0, classes.flatten(), shares.flatten())
        with torch.no_grad():
            self.frequency.lerp_(counts / counts.sum(), 1 - MOMENTUM)
        mixed = self.rebalance * self.frequency + (1 - self.rebalance) / self.bins**2
        rarity = 1 / mixed.clamp_min(MIN_FREQUENCY)
        weights = shares * (rarity / (self.frequency * rarity).sum())[classes]
        return (weights * log_likelihoods).sum() / (shares.shape[0] * shares[0, 0].numel())


def soft_encode(chroma: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Encode colours as mixtures of the four nearest classes, whose weighted mean is the colour.

    These are bilinear weights; the paper's soft encoding takes five neighbours and a Gaussian (section 2.2).

    Args:
        chroma: (N, 2, H, W), a and b in [-1, 1]; colours outside are clamped.
        bins: classes along a and along b.

    Returns:
        The classes, (N, 4, H, W) int64, and their shares, (N, 4, H, W), which add up to 1.
    """
    position = (chroma.float().clamp(-1, 1) + 1) / 2 * (bins - 1)
    low = position.floor().clamp(max=bins - 2)
    (a, b), (fraction_a, fraction_b) = low.long().unbind(1), (position - low).unbind(1)
    corners = [(a + i) * bins + b + j for i in (0, 1) for j in (0, 1)]
    shares = [
        (fraction_a if i else 1 - fraction_a) * (fraction_b if j else 1 - fraction_b)
        for i in (0, 1)
        for j in (0, 1)
    ]
    return torch.stack(corners, dim=1), torch.stack(shares, dim=1)
