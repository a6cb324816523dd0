"""The context encoder: inpainting through a bottleneck, without skips (arXiv:1604.07379, section 3.1)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from translate.networks.blocks import leaky_relu
from translate.networks.generators.base import Generator


class ContextEncoder(Generator):
    """An encoder-decoder for inpainting: `depth` strided convolutions and as many transposed ones.

    At the training size the bottleneck is one pixel, and there are no skip connections, so that all of the
    image passes through the bottleneck.

    Args:
        in_channels: the image's channels and one for the mask.
        width: channels of the outermost layer; the bottleneck has 32 times as many.
        depth: levels; each side of an image must be a multiple of 2**depth.
    """

    depth_setting = "levels"

    def __init__(
        self, in_channels: int = 4, out_channels: int = 3, *, width: int = 64, depth: int = 7
    ) -> None:
        super().__init__()
        self.width = width
        self.size_multiple = 2**depth
        channels = [width * min(2**level, 8) for level in range(depth - 1)] + [32 * width]
        self.encoder = nn.Sequential(nn.Conv2d(in_channels, width, 4, stride=2, padding=1), leaky_relu())
        for before, after in pairwise(channels):
            self.encoder += nn.Sequential(
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                leaky_relu(),
            )
        self.decoder = nn.Sequential()
        for before, after in pairwise(reversed(channels)):
            self.decoder += nn.Sequential(
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            )
        self.last = nn.ConvTranspose2d(width, out_channels, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Inpaint (N, 3 + 1, H, W) images in [-1, 1] and their masks; return (N, 3, H, W) in [-1, 1].

        The last channel is the mask, 1 in the hole and -1 elsewhere; image values in the hole are ignored.
        """
        image, mask = x[:, :-1], x[:, -1:]
        known = torch.cat([image * (mask <= 0), mask], dim=1)
        return torch.tanh(self.last(self.segment(self.decoder, self.segment(self.encoder, known))))
