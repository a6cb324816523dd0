"""The discriminator of DCGAN (arXiv:1511.06434, section 3)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import leaky_relu, make_norm

WIDEST = 8  # times the width: channels of the widest layers
KERNEL = 4  # of all convolutions


class DCGANDiscriminator(nn.Module):
    """Halve an image down to 4 x 4 and judge what is left.

    Args:
        width: channels of the first layer.
        depth: halvings; images are 4 * 2^depth pixels a side.
        norm: of all layers but the first.

    Attributes:
        shape: of the features, (C, h, w).
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, norm: str = "batch") -> None:
        super().__init__()
        channels = [width * min(WIDEST, 2**level) for level in range(depth)]
        body: list[nn.Module] = [
            nn.Conv2d(in_channels, width, KERNEL, stride=2, padding=1),
            leaky_relu(),
        ]
        for before, after in pairwise(channels):
            conv = nn.Conv2d(before, after, KERNEL, stride=2, padding=1, bias=norm != "batch")
            body += [conv, make_norm(norm, after), leaky_relu()]
        self.body = nn.Sequential(*body)
        self.shape = (channels[-1], BASE_SIDE, BASE_SIDE)
        self.head = nn.Conv2d(channels[-1], 1, BASE_SIDE)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Score (N, in_channels, H, H) in [-1, 1].

        Returns:
            (N, 1, 1, 1) scores, unbounded; with `features` also (N, C, 4, 4), from which they are made.
        """
        found = self.body(x)
        scores: Tensor = self.head(found)
        return (scores, found) if features else scores
