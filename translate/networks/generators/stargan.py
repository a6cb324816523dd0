"""The generator of StarGAN, which translates an image to any of several domains (arXiv:1711.09020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.networks.blocks import make_norm
from translate.networks.generators.base import Generator

NORM = "instance-affine"


class LabelledResidualBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions with zero padding and without bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            make_norm(NORM, channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            make_norm(NORM, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (N, C, H, W) features."""
        out: Tensor = x + self.body(x)
        return out


class StarGANGenerator(Generator):
    """A ResNet generator that also gets the label of the target (appendix 7.3, table 4).

    All convolutions have zero padding and no bias. The norms use each image's own statistics, also in
    `eval()`: the authors' code trains and translates with these, and its running statistics only serve where
    somebody calls `eval()`.

    Args:
        in_channels: channels of the image; the label's planes follow them.
        domains: entries of a label: domains of which an image has one, or attributes.
        width: channels of the outermost layer (conv_dim).
        depth: residual blocks.
    """

    compiled_by_segment = True  # The residual blocks are equal.
    size_multiple = 4
    depth_setting = "blocks"

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        domains: int = 3,
        width: int = 64,
        depth: int = 6,
    ) -> None:
        super().__init__()
        self.width = width

        def with_norm(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, make_norm(NORM, channels), nn.ReLU(inplace=True)]

        def resample(kind: type[nn.Module], channels: int, out: int) -> list[nn.Module]:
            return with_norm(kind(channels, out, 4, stride=2, padding=1, bias=False), out)

        self.encoder = nn.Sequential(
            *with_norm(nn.Conv2d(in_channels + domains, width, 7, padding=3, bias=False), width),
            *resample(nn.Conv2d, width, 2 * width),
            *resample(nn.Conv2d, 2 * width, 4 * width),
        )
        self.blocks = nn.Sequential(*(LabelledResidualBlock(4 * width) for _ in range(depth)))
        self.decoder = nn.Sequential(
            *resample(nn.ConvTranspose2d, 4 * width, 2 * width),
            *resample(nn.ConvTranspose2d, 2 * width, width),
            nn.Conv2d(width, out_channels, 7, padding=3, bias=False),
        )

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Translate (N, in_channels, H, W) images in [-1, 1], H and W multiples of 4.

        Args:
            labels: the target, (N, domains), 1 for the domain or for each attribute that is on, else 0.

        Returns:
            (N, out_channels, H, W) images in [-1, 1].
        """
        planes = labels.to(x.dtype)[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        x = self.segment(self.encoder, torch.cat([x, planes], dim=1))
        for block in self.blocks:
            x = self.segment(block, x)
        return torch.tanh(self.segment(self.decoder, x))
