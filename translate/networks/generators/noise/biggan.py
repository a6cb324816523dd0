"""The generator of BigGAN (arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import BatchNorm
from translate.networks.generators.base import Generator
from translate.networks.self_attention import SelfAttention
from translate.networks.spectral_norm import (
    SpectralConv2d,
    SpectralLinear,
    spectral_layers,
    step_power_iterations,
)

# Channels of the first feature map and after each block, times the width, by the number of blocks: for images
# of 32 px (BigGAN's code), 64, 128 and 256 px (tables 4 and 5).
MULTIPLIERS = {
    3: (4, 4, 4, 4),
    4: (16, 16, 8, 4, 2),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
}


class BigGANGenerator(Generator):
    """BigGAN's generator: residual blocks that double the size, and get the class in each batch norm.

    Args:
        in_channels: the dimension of the noise and the number of classes.
        classes: the number of classes.
        width: channels of a layer of multiplier 1 (ch in the paper).
        depth: blocks; the image is 4 * 2^depth pixels a side.
        embedding: dimension of the class embedding, which all batch norms share.
        hierarchical: the noise is cut into parts of one size, for the first layer and for the batch norms of
            each block (skip-z); otherwise all of it enters the first layer.
        attention: side of the feature maps after which self-attention follows; 0: none.
    """

    def __init__(
        self,
        in_channels: int = 130,
        out_channels: int = 3,
        *,
        classes: int = 10,
        width: int = 64,
        depth: int = 4,
        embedding: int = 128,
        hierarchical: bool = True,
        attention: int = 0,
    ) -> None:
        super().__init__()
        self.width = width
        self.classes = classes
        channels = [width * multiplier for multiplier in MULTIPLIERS[depth]]
        self.parts = _part_sizes(in_channels - classes, 1 + depth if hierarchical else 1)
        inputs = [embedding + part for part in self.parts[1:]] or [embedding] * depth
        self.embedding = nn.Linear(classes, embedding, bias=False)
        self.first = SpectralLinear(self.parts[0], channels[0] * BASE_SIDE**2)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, inputs[level], attention=BASE_SIDE * 2 ** (level + 1) == attention)
            for level, (before, after) in enumerate(pairwise(channels))
        )
        self.last = nn.Sequential(
            BatchNorm(channels[-1]),
            nn.ReLU(),
            SpectralConv2d(channels[-1], out_channels, 3, padding=1),
            nn.Tanh(),
        )
        self.spectral = spectral_layers(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Generate (N, out_channels, H, H) images in [-1, 1].

        Args:
            inputs: noise and one-hot classes, (N, in_channels).
        """
        step_power_iterations(self.spectral)
        *parts, labels = torch.split(inputs, [*self.parts, self.classes], dim=1)
        y = self.embedding(labels)
        first, *others = parts
        conditions = [torch.cat([y, part], dim=1) for part in others] or [y] * len(self.blocks)
        x = self.first(first).unflatten(1, (-1, BASE_SIDE, BASE_SIDE))
        for block, condition in zip(self.blocks, conditions, strict=True):
            x = self.segment(block, x, condition)
        return self.segment(self.last, x)


def _part_sizes(total: int, parts: int) -> list[int]:
    """Return the sizes of parts that differ by at most 1, the larger ones first."""
    return [total // parts + (number < total % parts) for number in range(parts)]


class UpBlock(nn.Module):
    """A residual block that doubles the size (figure 15b).

    Args:
        inputs: the dimension of the condition.
        attention: whether self-attention follows.
    """

    def __init__(self, in_channels: int, out_channels: int, inputs: int, *, attention: bool) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(in_channels, inputs)
        self.conv1 = SpectralConv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = ConditionalBatchNorm(out_channels, inputs)
        self.conv2 = SpectralConv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = SpectralConv2d(in_channels, out_channels, 1)
        self.attention = SelfAttention(out_channels) if attention else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, C, H, W) features and (N, inputs) conditions to (N, out_channels, 2 H, 2 W)."""
        hidden = self.conv1(_upsample(F.relu(self.norm1(x, condition))))
        hidden = self.conv2(F.relu(self.norm2(hidden, condition)))
        # The paper upsamples first; a convolution of one pixel commutes with that, and has less to do before.
        output: Tensor = self.attention(hidden + _upsample(self.shortcut(x)))
        return output


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class ConditionalBatchNorm(nn.Module):
    """A batch norm whose gain and bias are linear in a condition: y = (1 + gain) x + bias.

    Args:
        inputs: the dimension of the condition.
    """

    def __init__(self, channels: int, inputs: int) -> None:
        super().__init__()
        self.norm = BatchNorm(channels, affine=False)
        self.gain = SpectralLinear(inputs, channels, bias=False)
        self.bias = SpectralLinear(inputs, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features for conditions, (N, inputs)."""
        gain, bias = self.gain(condition), self.bias(condition)
        y: Tensor = self.norm(x) * (1 + gain)[..., None, None] + bias[..., None, None]
        return y
