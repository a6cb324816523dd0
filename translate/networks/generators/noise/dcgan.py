"""The convolutional generator of DCGAN (arXiv:1511.06434, section 3 and figure 1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import make_norm, upsampling
from translate.networks.generators.base import Generator

MAX_MULTIPLIER = 8  # Channels of the widest layers, times the width.
MODULES_PER_LAYER = 3  # Convolution, norm and activation; the last layer has no norm.
KERNEL = 4  # A multiple of the stride 2, so that a transposed convolution overlaps evenly.


class DCGANGenerator(Generator):
    """DCGAN's generator: noise is projected to 4 x 4 pixels and upsampled by 2 in each further layer.

    Args:
        in_channels: the dimension of the noise, and of what conditions it.
        width: channels of the last layer but one (ngf).
        depth: doublings; the image is 4 * 2^depth pixels a side.
        norm: the norm of all layers but the last.
        upsample: `deconv` or `resize`.
    """

    compiled_by_segment = True  # Of the layers, the first must not be compiled.

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
        channels = [width * min(MAX_MULTIPLIER, 2**level) for level in reversed(range(depth))]
        body: list[nn.Module] = [
            nn.ConvTranspose2d(in_channels, channels[0], BASE_SIDE, bias=norm == "none"),
            make_norm(norm, channels[0]),
            nn.ReLU(inplace=True),
        ]
        for before, after in pairwise(channels):
            upsample_layer = upsampling(upsample, before, after, KERNEL, bias=norm == "none")
            body += [upsample_layer, make_norm(norm, after), nn.ReLU(inplace=True)]
        last = upsampling(upsample, channels[-1], out_channels, KERNEL, bias=True)
        self.body = nn.Sequential(*body, last, nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """Generate (N, out_channels, H, H) images in [-1, 1] from (N, in_channels) noise."""
        # The first layer is not a segment, so that it is not compiled on a GPU. Its input of 1 x 1 pixels
        # fits every memory format. cuDNN's gradient of the weight has that of the input, where Inductor
        # expects that of the weight, so that a compiled backward pass fails (torch 2.11).
        x = self._layer(0, noise[:, :, None, None])
        for start in range(MODULES_PER_LAYER, len(self.body), MODULES_PER_LAYER):
            x = self.segment(self._layer, start, x)
        return x

    def _layer(self, start: int, x: Tensor) -> Tensor:
        for module in list(self.body)[start : start + MODULES_PER_LAYER]:
            x = module(x)
        return x
