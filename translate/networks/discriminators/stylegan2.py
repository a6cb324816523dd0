"""The residual discriminator of StyleGAN2 (arXiv:1912.04958, figure 7 c)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.equalized import EqualizedConv2d, EqualizedLinear, scaled_leaky_relu
from translate.networks.growing import count_channels
from translate.networks.minibatch_std import append_minibatch_std
from translate.networks.resampling import Resampler


class DownBlock(nn.Module):
    """A residual block that halves the size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.blur = Resampler()
        self.conv0 = EqualizedConv2d(in_channels, in_channels, 3, padding=1)
        self.conv1 = EqualizedConv2d(in_channels, out_channels, 3, stride=2)
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) to (N, out_channels, H / 2, W / 2)."""
        shortcut = self.skip(self.blur(x, down=2, padding=(1, 1)))
        x = scaled_leaky_relu(self.conv0(x))
        x = scaled_leaky_relu(self.conv1(self.blur(x, padding=(2, 2))))
        out: Tensor = (x + shortcut) * math.sqrt(0.5)
        return out


class StyleGAN2Discriminator(nn.Module):
    """The discriminator of StyleGAN2: residual blocks down to 4 x 4, then one score per image.

    Args:
        depth: halvings; images are 4 * 2^depth pixels a side.
        fmap_base, fmap_max: the channels of the blocks, see `count_channels`.
        group_size: images over which the minibatch standard deviation is taken.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        depth: int = 4,
        fmap_base: int = 8192,
        fmap_max: int = 512,
        group_size: int = 4,
    ) -> None:
        super().__init__()
        self.group_size = group_size
        channels = count_channels(depth, fmap_base, fmap_max)[::-1]
        last = channels[-1]
        self.from_rgb = EqualizedConv2d(in_channels, channels[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(before, after) for before, after in pairwise(channels)))
        self.conv = EqualizedConv2d(last + 1, last, 3, padding=1)
        self.fc = EqualizedLinear(last * BASE_SIDE**2, last)
        self.out = EqualizedLinear(last, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, in_channels, H, H) images; return logits, (N, 1, 1, 1)."""
        x = self.blocks(scaled_leaky_relu(self.from_rgb(x)))
        x = scaled_leaky_relu(self.conv(append_minibatch_std(x, group_size=self.group_size)))
        x = scaled_leaky_relu(self.fc(x.flatten(1)))
        scores: Tensor = self.out(x)
        return scores[:, :, None, None]
