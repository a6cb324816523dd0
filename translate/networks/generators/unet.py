"""The U-Net generator of pix2pix (arXiv:1611.07004, appendix 6.1)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.blocks import make_norm, upsampling
from translate.networks.generators.base import Generator

SLOPE = 0.2  # Of the encoder's leaky ReLUs.


class UNet(Generator):
    """A U-Net generator: `depth` downsampling and upsampling layers with a skip connection at every level.

    The levels have 1, 2, 4, and then always 8 times `width` channels.

    Args:
        width: channels of the outermost layer (ngf).
        depth: levels; each side of an image must be a multiple of 2**depth.
        norm: the norm of all layers but the outermost and the innermost of the encoder, and the last.
        dropout: use dropout of 0.5 in the decoder's levels between the innermost and the four outermost.
        upsample: `deconv` or `resize`.
    """

    depth_setting = "levels"
    peak_maps, stored_maps = 3.0, 1.2

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        depth: int = 8,
        norm: str = "batch",
        dropout: bool = True,
        upsample: str = "deconv",
    ) -> None:
        super().__init__()
        self.width = width
        self.size_multiple = 2**depth
        bias = norm != "batch"
        channels = [width * min(2**level, 8) for level in range(depth)]
        self.first = nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=bias)
        self.down = nn.ModuleList(
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias) for outer, inner in pairwise(channels)
        )
        # No norm at the innermost level, which is one pixel of the smallest image: it would become 0.
        self.down_norm = nn.ModuleList(make_norm(norm, c) for c in channels[1:-1])
        self.up = nn.ModuleList(
            upsampling(upsample, inner * (1 if level == depth - 2 else 2), outer, 4, bias=bias)
            for level, (outer, inner) in enumerate(pairwise(channels))
        )
        self.up_norm = nn.ModuleList(make_norm(norm, c) for c in channels[:-1])
        dropout_levels = range(3, depth - 2) if dropout else ()
        self.dropout = nn.ModuleList(
            nn.Dropout(0.5 if level in dropout_levels else 0.0) for level in range(depth - 1)
        )
        self.last = upsampling(upsample, 2 * width, out_channels, 4, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, in_channels, H, W) images in [-1, 1] to (N, out_channels, H, W) images in [-1, 1]."""
        skips = [self.first(x)]
        for level in range(len(self.down)):
            # In place, although this is the skip, too: the decoder's ReLU gives the same after it.
            x = F.leaky_relu(skips[-1], SLOPE, inplace=True)
            skips.append(self.segment(self._down, level, x))
        x = skips.pop()
        for level in reversed(range(len(self.up))):
            x = self.segment(self._up, level, F.relu(x, inplace=True))
            x = torch.cat([skips.pop(), x], dim=1)
        return torch.tanh(self.last(F.relu(x, inplace=True)))

    def _down(self, level: int, x: Tensor) -> Tensor:
        x = self.down[level](x)
        return self.down_norm[level](x) if level < len(self.down_norm) else x

    def _up(self, level: int, x: Tensor) -> Tensor:
        output: Tensor = self.dropout[level](self.up_norm[level](self.up[level](x)))
        return output
