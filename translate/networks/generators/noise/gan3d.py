"""The generator of 3D-GAN, from noise to volumes (arXiv:1610.07584)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import BatchNorm3d
from translate.networks.generators.base import Generator

MAX_MULTIPLIER = 8  # Channels of the widest layers, times the width.
MODULES_PER_LAYER = 3  # Convolution, norm and activation; the last layer has no norm.
KERNEL = 4


class GAN3DGenerator(Generator):
    """3D-GAN's generator: noise is projected to 4^3 voxels and upsampled by 2 in each further layer.

    With a width of 64 and a depth of 4, the layers have 512, 256, 128, 64 and 1 channels, and volumes
    64^3 voxels. Transposed convolutions have no biases.

    Args:
        in_channels: the dimension of the noise.
        width: channels of the last layer but one (ngf).
        depth: doublings; volumes are 4 * 2^depth voxels a side.
    """

    compiled_by_segment = True  # Of the layers, the first must not be compiled; see `DCGANGenerator`.

    def __init__(self, in_channels: int = 200, *, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.width = width
        channels = [width * min(MAX_MULTIPLIER, 2**level) for level in reversed(range(depth))]
        body: list[nn.Module] = [
            nn.ConvTranspose3d(in_channels, channels[0], BASE_SIDE, bias=False),
            BatchNorm3d(channels[0]),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(channels):
            body += [_double(before, after), BatchNorm3d(after), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*body, _double(channels[-1], 1), nn.Sigmoid())

    def forward(self, noise: Tensor) -> Tensor:
        """Generate volumes, (N, 1, S, S, S) occupancy in [0, 1], from (N, in_channels) noise."""
        x = self._layer(0, noise[:, :, None, None, None])
        for start in range(MODULES_PER_LAYER, len(self.body), MODULES_PER_LAYER):
            x = self.segment(self._layer, start, x)
        return x

    def _layer(self, start: int, x: Tensor) -> Tensor:
        for module in list(self.body)[start : start + MODULES_PER_LAYER]:
            x = module(x)
        return x


def _double(in_channels: int, out_channels: int) -> nn.Module:
    """Create a transposed convolution that doubles each side."""
    return nn.ConvTranspose3d(in_channels, out_channels, KERNEL, stride=2, padding=1, bias=False)
