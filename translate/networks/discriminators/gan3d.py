"""The discriminator of 3D-GAN, which scores volumes (arXiv:1610.07584)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.blocks import BatchNorm3d, leaky_relu

MAX_MULTIPLIER = 8  # Channels of the widest layers, times the width.
KERNEL = 4


class GAN3DDiscriminator(nn.Module):
    """3D-GAN's discriminator: it mirrors the generator, with a batch norm after the first layer, too.

    Args:
        width: channels of the first layer (ndf).
        depth: strided convolutions; volumes are 4 * 2^depth voxels a side.
    """

    def __init__(self, *, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        channels = [1, *(width * min(MAX_MULTIPLIER, 2**level) for level in range(depth))]
        body: list[nn.Module] = []
        for before, after in pairwise(channels):
            conv = nn.Conv3d(before, after, KERNEL, stride=2, padding=1, bias=False)
            body += [conv, BatchNorm3d(after), leaky_relu()]
        self.body = nn.Sequential(*body, nn.Conv3d(channels[-1], 1, BASE_SIDE, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Score volumes, (N, 1, S, S, S) occupancy in [0, 1].

        Returns:
            (N,) logits. The paper's probability is their sigmoid, whose logarithm would be less exact.
        """
        scores: Tensor = self.body(x)
        return scores.flatten()
