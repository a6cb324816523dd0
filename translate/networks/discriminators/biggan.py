"""The discriminator of BigGAN (arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.self_attention import SelfAttention
from translate.networks.spectral_norm import (
    SpectralConv2d,
    SpectralEmbedding,
    SpectralLinear,
    spectral_layers,
    step_power_iterations,
)

# Channels after each block, times the width, by the number of the generator's blocks: for images of 32 px
# (BigGAN's code), 64, 128 and 256 px (tables 4 and 5).
MULTIPLIERS = {
    3: (4, 4, 4, 4),
    4: (1, 2, 4, 8, 16),
    5: (1, 2, 4, 8, 16, 16),
    6: (1, 2, 4, 8, 8, 16, 16),
}
# Sides of the feature maps after each block. BigGAN's code counts all blocks for 32 px as 16 pixels a side,
# though the last three have 8, so that attention at 16 follows each of them.
SIDES = {
    3: (16, 16, 16, 16),
    4: (32, 16, 8, 4, 4),
    5: (64, 32, 16, 8, 4, 4),
    6: (128, 64, 32, 16, 8, 4, 4),
}
POOLED_BLOCKS = {3: 2, 4: 4, 5: 5, 6: 6}  # The first blocks, which halve the size.


class BigGANDiscriminator(nn.Module):
    """BigGAN's projection discriminator (arXiv:1802.05637): residual blocks, then one score for each image.

    Args:
        classes: the number of classes.
        width: channels of a layer of multiplier 1 (ch in the paper).
        depth: images are 4 * 2^depth pixels a side.
        attention: side of the feature maps after which self-attention follows; 0: none.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        classes: int = 10,
        width: int = 64,
        depth: int = 4,
        attention: int = 0,
    ) -> None:
        super().__init__()
        channels = [in_channels, *(width * multiplier for multiplier in MULTIPLIERS[depth])]
        self.blocks = nn.Sequential(
            *(
                DownBlock(
                    before,
                    after,
                    is_first=level == 0,
                    pool=level < POOLED_BLOCKS[depth],
                    attention=SIDES[depth][level] == attention,
                )
                for level, (before, after) in enumerate(pairwise(channels))
            )
        )
        self.head = SpectralLinear(channels[-1], 1)
        self.embedding = SpectralEmbedding(classes, channels[-1])
        self.spectral = spectral_layers(self)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Score (N, in_channels, H, H) images in [-1, 1] as images of the classes y, (N,) indices.

        Returns:
            (N, 1) scores.
        """
        step_power_iterations(self.spectral)
        features = F.relu(self.blocks(x)).sum(dim=(2, 3))
        projection = (self.embedding(y) * features).sum(dim=1, keepdim=True)
        scores: Tensor = self.head(features) + projection
        return scores


class DownBlock(nn.Module):
    """A residual block of the discriminator (figure 15c).

    Args:
        is_first: its input is an image, which has no ReLU before it.
        pool: whether it halves the size.
        attention: whether self-attention follows.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, is_first: bool, pool: bool, attention: bool
    ) -> None:
        super().__init__()
        self.is_first, self.pool = is_first, pool
        self.conv1 = SpectralConv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = SpectralConv2d(out_channels, out_channels, 3, padding=1)
        changes = pool or in_channels != out_channels
        self.shortcut = SpectralConv2d(in_channels, out_channels, 1) if changes else nn.Identity()
        self.attention = SelfAttention(out_channels) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) features to (N, out_channels, H / 2, W / 2), or H and W without pooling."""
        hidden = self.conv2(F.relu(self.conv1(x if self.is_first else F.relu(x))))
        if self.pool:
            # The paper pools after the shortcut's convolution of one pixel, which commutes with that.
            hidden, x = F.avg_pool2d(hidden, 2), F.avg_pool2d(x, 2)
        output: Tensor = self.attention(hidden + self.shortcut(x))
        return output
