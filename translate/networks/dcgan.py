"""Deep convolutional networks between noise and pictures (arXiv:1511.06434, section 3 and figure 1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.noise import FIRST
from translate.networks.blocks import leaky_relu, make_norm, upsampling

MOST = 8  # times the width: channels of the widest layers
KERNEL = 4  # of all strided convolutions: a multiple of the stride makes no checkerboards of its own


class DCGANGenerator(nn.Module):
    """Grows a picture from noise, each layer twice as large as the one before.

    Args:
        in_channels: numbers of noise.
        width: channels of the last layer but one.
        depth: doublings; the picture is 4 * 2^depth pixels a side.
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
        **_: object,
    ) -> None:
        super().__init__()
        channels = [width * min(MOST, 2**level) for level in reversed(range(depth))]
        body: list[nn.Module] = [
            nn.ConvTranspose2d(in_channels, channels[0], FIRST, bias=norm == "none"),
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
        picture: Tensor = self.body(noise[:, :, None, None])
        return picture


class DCGANDiscriminator(nn.Module):
    """Halves a picture down to 4 x 4 and judges what is left.

    Args:
        width: channels of the first layer.
        depth: halvings; pictures are 4 * 2^depth pixels a side.
        norm: of all layers but the first.

    Attributes:
        shape: of what `features` gives, (C, h, w).
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, norm: str = "batch") -> None:
        super().__init__()
        channels = [width * min(MOST, 2**level) for level in range(depth)]
        body: list[nn.Module] = [
            nn.Conv2d(in_channels, width, KERNEL, stride=2, padding=1),
            leaky_relu(),
        ]
        for before, after in pairwise(channels):
            conv = nn.Conv2d(before, after, KERNEL, stride=2, padding=1, bias=norm != "batch")
            body += [conv, make_norm(norm, after), leaky_relu()]
        self.body = nn.Sequential(*body)
        self.shape = (channels[-1], FIRST, FIRST)
        self.head = nn.Conv2d(channels[-1], 1, FIRST)

    def features(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, H) in [-1, 1] -> (N, C, 4, 4), what the judgement is made from."""
        found: Tensor = self.body(x)
        return found

    def judge(self, features: Tensor) -> Tensor:
        """Those features -> (N, 1, 1, 1) scores, unbounded."""
        scores: Tensor = self.head(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, H) in [-1, 1] -> (N, 1, 1, 1) scores, unbounded."""
        return self.judge(self.features(x))
