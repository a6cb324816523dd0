"""The discriminator of progressive growing, ProGAN (arXiv:1710.10196, table 2)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import leaky_relu
from translate.networks.equalized import EqualizedConv2d, EqualizedLinear
from translate.networks.growing import blend, count_channels, downsample, level_of
from translate.networks.minibatch_std import append_minibatch_std


class ProGANDiscriminator(nn.Module):
    """ProGAN's discriminator: each level halves the sides, down to 4 x 4 pixels and one score per image.

    Each level has a layer of its own from colours to features. The score of an image depends on those scored
    with it, by the minibatch standard deviation.

    Args:
        depth: the last level; its images have 4 * 2^depth pixels a side.
        fmap_base, fmap_max: the channels of the levels, see `count_channels`.
        group_size: images in a group of the minibatch standard deviation.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        depth: int = 5,
        fmap_base: int = 8192,
        fmap_max: int = 512,
        group_size: int = 4,
    ) -> None:
        super().__init__()
        channels = count_channels(depth, fmap_base, fmap_max)
        self.from_rgb = nn.ModuleList(_convolution(in_channels, count, 1) for count in channels)
        later = (_block(channels[level], channels[level - 1]) for level in range(1, depth + 1))
        self.blocks = nn.ModuleList([_LastBlock(channels[0], min(fmap_base, fmap_max), group_size), *later])

    def forward(self, x: Tensor, alpha: Tensor | None = None) -> Tensor:
        """Score (N, in_channels, S, S) images of the level with S = 4 * 2^level pixels a side.

        Args:
            alpha: the weight of this level, () from 0 to 1, while it fades in; by default 1.

        Returns:
            (N, 1) scores.
        """
        level = level_of(x.shape[-1])
        features = self.blocks[level](self.from_rgb[level](x))
        if alpha is not None:
            features = blend(self.from_rgb[level - 1](downsample(x)), features, alpha)
        for number in reversed(range(level)):
            features = self.blocks[number](features)
        scores: Tensor = features
        return scores


class _LastBlock(nn.Module):
    """The level of 4 x 4 pixels, which is the last one that an image passes."""

    def __init__(self, channels: int, hidden: int, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size
        self.convolution = _convolution(channels + 1, channels, 3)
        self.dense = EqualizedLinear(channels * BASE_SIDE**2, hidden, gain=math.sqrt(2))
        self.activation = leaky_relu()
        self.score = EqualizedLinear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(append_minibatch_std(x, group_size=self.group_size))
        scores: Tensor = self.score(self.activation(self.dense(x.flatten(1))))
        return scores


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return a level above 4 x 4 pixels: two convolutions, then downsampling."""
    convolutions = (_convolution(in_channels, count, 3) for count in (in_channels, out_channels))
    return nn.Sequential(*convolutions, nn.AvgPool2d(2))


def _convolution(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    convolution = EqualizedConv2d(in_channels, out_channels, kernel, padding=kernel // 2, gain=math.sqrt(2))
    return nn.Sequential(convolution, leaky_relu())
