"""The generator of DCGAN (arXiv:1511.06434, section 3 and figure 1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import make_norm, upsampling
from translate.networks.generators.base import Generator

WIDEST = 8  # times the width: channels of the widest layers
LAYER = 3  # modules of a layer: convolution, norm, activation; the last has no norm
KERNEL = 4  # of all strided convolutions: a multiple of the stride makes no checkerboards of its own


class DCGANGenerator(Generator):
    """Grow an image from noise, each layer twice as large as the one before.

    Args:
        in_channels: numbers of noise.
        width: channels of the last layer but one.
        depth: doublings; the image is 4 * 2^depth pixels a side.
        norm: of all layers but the last.
        upsample: `deconv` or `resize`.
    """

    def __init__(
        self,
        in_channels: int = 100,
        out_channels: int = 3,
        *,
        width: int = 64,
        depth: int = 4,
        norm: str = "batch",
        upsample: str = "deconv",
    ) -> None:
        super().__init__()
        self.width = width
        channels = [width * min(WIDEST, 2**level) for level in reversed(range(depth))]
        body: list[nn.Module] = [
            nn.ConvTranspose2d(in_channels, channels[0], BASE_SIDE, bias=norm == "none"),
            make_norm(norm, channels[0]),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(channels):
            grow = upsampling(upsample, before, after, KERNEL, bias=norm == "none")
            body += [grow, make_norm(norm, after), nn.ReLU(inplace=True)]
        last = upsampling(upsample, channels[-1], out_channels, KERNEL, bias=True)
        self.body = nn.Sequential(*body, last, nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """(N, in_channels) -> (N, out_channels, H, H) in [-1, 1]."""
        x = noise[:, :, None, None]
        for first in range(0, len(self.body), LAYER):
            x = self.segment(self._layer, first, x)
        return x

    def _layer(self, first: int, x: Tensor) -> Tensor:
        for module in list(self.body)[first : first + LAYER]:
            x = module(x)
        return x
