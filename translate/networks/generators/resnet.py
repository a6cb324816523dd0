"""The residual generator of CycleGAN (arXiv:1703.10593, appendix 7.2; arXiv:1603.08155)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.networks.blocks import make_norm, upsampling
from translate.networks.generators.base import Generator


class ResidualBlock(nn.Module):
    """x + f(x), where f is two 3x3 convolutions with reflection padding."""

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
        out: Tensor = x + self.body(x)
        return out


class ResNet(Generator):
    """Encoder, residual blocks at a quarter of the size, decoder.

    Args:
        width: channels of the outermost layer (ngf).
        depth: residual blocks; the papers use 6 for 128 px and 9 for 256 px.
    """

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
        upsample: str = "deconv",
    ) -> None:
        super().__init__()
        self.width = width
        bias = norm != "batch"

        def normed(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, make_norm(norm, channels), nn.ReLU(inplace=True)]

        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            *normed(nn.Conv2d(in_channels, width, 7, bias=bias), width),
            *normed(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias), 2 * width),
            *normed(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=bias), 4 * width),
        )
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * width, norm=norm, dropout=dropout) for _ in range(depth))
        )
        self.decoder = nn.Sequential(
            *normed(upsampling(upsample, 4 * width, 2 * width, 3, bias=bias), 2 * width),
            *normed(upsampling(upsample, 2 * width, width, 3, bias=bias), width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1]; H, W multiples of 4."""
        x = self.segment(self.encoder, x)
        for block in self.blocks:
            x = self.segment(block, x)
        return torch.tanh(self.segment(self.decoder, x))
