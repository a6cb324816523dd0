"""The generator of progressive growing, ProGAN (arXiv:1710.10196, table 2)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import PixelNorm, leaky_relu
from translate.networks.equalized import EqualizedConv2d, EqualizedLinear
from translate.networks.generators.base import Generator
from translate.networks.growing import blend, count_channels, upsample


class ProGANGenerator(Generator):
    """ProGAN's generator: noise becomes 4 x 4 pixels, and each further level doubles the sides.

    Each level has a layer of its own from features to colours.

    Args:
        in_channels: the dimension of the noise.
        depth: the last level; its images have 4 * 2^depth pixels a side.
        fmap_base, fmap_max: the channels of the levels, see `count_channels`.

    Attributes:
        growth: the level up to which the network has grown, () float; 2.3 if level 3 has the weight 0.3. Once
            training is finished, it is the depth.
    """

    compiled_by_segment = True
    growth: Tensor

    def __init__(
        self,
        in_channels: int = 512,
        out_channels: int = 3,
        *,
        depth: int = 5,
        fmap_base: int = 8192,
        fmap_max: int = 512,
    ) -> None:
        super().__init__()
        channels = count_channels(depth, fmap_base, fmap_max)
        self.depth, self.width = depth, channels[-1]
        later = (_Block(before, after) for before, after in pairwise(channels))
        self.blocks = nn.ModuleList([_FirstBlock(in_channels, channels[0]), *later])
        self.to_rgb = nn.ModuleList(EqualizedConv2d(count, out_channels, 1) for count in channels)
        self.register_buffer("growth", torch.tensor(float(depth)))

    def forward(self, noise: Tensor, level: int | None = None, alpha: Tensor | None = None) -> Tensor:
        """Generate (N, out_channels, S, S) images from (N, in_channels) noise; not limited to [-1, 1].

        Args:
            level: of the images, S = 4 * 2^level. By default, S is the full size, to which the images of a
                network that still grows (`growth`) are enlarged.
            alpha: the weight of this level, () from 0 to 1, while it fades in; by default 1.
        """
        last = self.depth if level is None else level
        if level is None:
            alphas = [(self.growth - below).clamp(0, 1) for below in range(self.depth)]
        else:
            alphas = [] if alpha is None else [alpha]
        first = last - len(alphas)  # The level with the smallest of the images that are blended.
        x = self.segment(self.blocks[0], noise)
        for block in self.blocks[1 : first + 1]:
            x = self.segment(block, x)
        image: Tensor = self.to_rgb[first](x)
        for number, weight in enumerate(alphas, start=first + 1):
            x = self.segment(self.blocks[number], x)
            image = blend(upsample(image), self.to_rgb[number](x), weight)
        return image


class _FirstBlock(nn.Module):
    """The level of 4 x 4 pixels: noise is normalized, projected, and convolved."""

    def __init__(self, noise: int, channels: int) -> None:
        super().__init__()
        self.normalize = PixelNorm()
        # The gain is that of the authors' code; a later norm makes it void, but for the learning rate.
        self.dense = EqualizedLinear(noise, channels * BASE_SIDE**2, bias=False, gain=math.sqrt(2) / 4)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.activation = nn.Sequential(leaky_relu(), PixelNorm())
        self.convolution = _convolution(channels, channels)

    def forward(self, noise: Tensor) -> Tensor:
        x = self.dense(self.normalize(noise)).unflatten(1, (-1, BASE_SIDE, BASE_SIDE))
        out: Tensor = self.convolution(self.activation(x + self.bias[:, None, None]))
        return out


class _Block(nn.Module):
    """A further level: upsampling and two convolutions."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(in_channels, out_channels), _convolution(out_channels, out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolutions(upsample(x))
        return out


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    convolution = EqualizedConv2d(in_channels, out_channels, 3, padding=1, gain=math.sqrt(2))
    return nn.Sequential(convolution, leaky_relu(), PixelNorm())
