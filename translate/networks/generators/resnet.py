"""The ResNet generator of CycleGAN (arXiv:1703.10593, appendix 7.2, after arXiv:1603.08155)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.networks.blocks import downsampling, make_norm, upsampling
from translate.networks.generators.base import Generator

# With antialiased sampling, features of twice the width have the full size of the image: two forwards of
# 1024 px added 1.6 times the memory that strided convolutions take.
PEAK_MAPS_BLURRED, STORED_MAPS_BLURRED = 9.5, 3.0


class ResidualBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions with reflection padding."""

    def __init__(self, channels: int, *, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = norm != "batch"
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5 if dropout else 0.0),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        out: Tensor = x + self.body(x)
        return out


class ResNet(Generator):
    """A ResNet generator: downsampling by 4, residual blocks, upsampling.

    Args:
        width: channels of the outermost layer (ngf).
        depth: residual blocks; the papers use 6 for 128 px and 9 for 256 px.
        norm: the norm of all layers but the last.
        dropout: use dropout of 0.5 in each residual block.
        downsample: `strided`, or `blur`, antialiased as in CUT.
        upsample: `deconv`, `resize`, or `blur`, antialiased as in CUT.
    """

    compiled_by_segment = True  # The residual blocks are equal.
    size_multiple = 4

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        depth: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        downsample: str = "strided",
        upsample: str = "deconv",
    ) -> None:
        super().__init__()
        self.width = width
        if "blur" in (downsample, upsample):
            self.peak_maps, self.stored_maps = PEAK_MAPS_BLURRED, STORED_MAPS_BLURRED
        bias = norm != "batch"
        stride, after = downsampling(downsample)

        def with_norm(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, make_norm(norm, channels), nn.ReLU(inplace=True)]

        def down(channels: int) -> list[nn.Module]:
            conv = nn.Conv2d(channels, 2 * channels, 3, stride=stride, padding=1, bias=bias)
            return [*with_norm(conv, 2 * channels), *after]

        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            *with_norm(nn.Conv2d(in_channels, width, 7, bias=bias), width),
            *down(width),
            *down(2 * width),
        )
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(depth))
        )
        self.decoder = nn.Sequential(
            *with_norm(upsampling(upsample, 4 * width, 2 * width, 3, bias=bias), 2 * width),
            *with_norm(upsampling(upsample, 2 * width, width, 3, bias=bias), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, in_channels, H, W) images in [-1, 1], H and W multiples of 4.

        Returns:
            (N, out_channels, H, W) images in [-1, 1].
        """
        x = self.segment(self.encoder, x)
        for block in self.blocks:
            x = self.segment(block, x)
        return torch.tanh(self.segment(self.decoder, x))
