"""The critic of Yu et al. (arXiv:1801.07892): strided convolutions, and one score for the whole image."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from translate.networks.blocks import leaky_relu

KERNEL = 5


class WholeImageCritic(nn.Module):
    """A critic without norms, which scores an image as a whole by a linear layer on all of its features.

    Args:
        image_size: side of the images, in pixels.
        width: channels of the first layer; the next have 2 and 4 times as many.
        max_factor: channels of the last layer, times the width.
    """

    def __init__(
        self, in_channels: int = 3, *, image_size: int, width: int = 64, max_factor: int = 4
    ) -> None:
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width, max_factor * width]
        body: list[nn.Module] = []
        for before, after in pairwise(channels):
            body += [nn.Conv2d(before, after, KERNEL, stride=2, padding=KERNEL // 2), leaky_relu()]
        self.body = nn.Sequential(*body)
        side = -(-image_size // 2 ** (len(channels) - 1))
        self.head = nn.Linear(channels[-1] * side**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, in_channels, S, S) images in [-1, 1], S = `image_size`; return (N, 1)."""
        scores: Tensor = self.head(self.body(x).flatten(1))
        return scores
