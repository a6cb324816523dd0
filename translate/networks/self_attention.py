"""Self-attention over the pixels of feature maps, as in SAGAN and BigGAN (arXiv:1805.08318)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.spectral_norm import SpectralConv2d


class SelfAttention(nn.Module):
    """A layer that adds to each pixel what it attends to, times `gamma`, which starts at 0 (section 3).

    Keys and values are max-pooled to half the sides, as in BigGAN's code. All convolutions have one pixel, no
    bias and spectral normalization.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.query = SpectralConv2d(channels, inner, 1, bias=False)
        self.key = SpectralConv2d(channels, inner, 1, bias=False)
        self.value = SpectralConv2d(channels, values, 1, bias=False)
        self.out = SpectralConv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) features to features of the same shape; H and W are even."""
        query = self.query(x).flatten(2)
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        attention = (query.transpose(1, 2) @ key).softmax(dim=2)  # (N, H W, H W / 4)
        attended = (value @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        output: Tensor = x + self.gamma * self.out(attended)
        return output
