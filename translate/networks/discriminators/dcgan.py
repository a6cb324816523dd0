"""The convolutional discriminator of DCGAN (arXiv:1511.06434, section 3)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import leaky_relu, make_norm

MAX_MULTIPLIER = 8  # Channels of the widest layers, times the width.
KERNEL = 4  # The side of all kernels.


class DCGANDiscriminator(nn.Module):
    """DCGAN's discriminator: strided convolutions down to 4 x 4, then one score per image.

    Args:
        width: channels of the first layer (ndf).
        depth: strided convolutions; images are 4 * 2^depth pixels a side.
        norm: the norm of all layers but the first.

    Attributes:
        feature_shape: the shape (C, h, w) of an image's features before the score.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, norm: str = "batch") -> None:
        super().__init__()
        channels = [width * min(MAX_MULTIPLIER, 2**level) for level in range(depth)]
        body: list[nn.Module] = [
            nn.Conv2d(in_channels, width, KERNEL, stride=2, padding=1),
            leaky_relu(),
        ]
        for before, after in pairwise(channels):
            conv = nn.Conv2d(before, after, KERNEL, stride=2, padding=1, bias=norm != "batch")
            body += [conv, make_norm(norm, after), leaky_relu()]
        self.body = nn.Sequential(*body)
        self.feature_shape = (channels[-1], BASE_SIDE, BASE_SIDE)
        self.head = nn.Conv2d(channels[-1], 1, BASE_SIDE)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Score (N, in_channels, H, H) images in [-1, 1].

        Returns:
            (N, 1, 1, 1) logits; with `features` also the (N, C, 4, 4) features that they are computed from.
        """
        hidden = self.body(x)
        scores: Tensor = self.head(hidden)
        return (scores, hidden) if features else scores
