"""A steganalyser, which tells whether an image carries a hidden message (GNCNN, Qian et al. 2015)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.blocks import BatchNorm

WIDTH, HIDDEN = 16, 128  # Channels of the convolutions, and of the fully connected layers.
SMALLEST = 4  # Pixels a side after the last block.
KV_FILTER = torch.tensor(  # The high-pass filter in front, times 12: it leaves little of the image.
    [
        [-1.0, 2.0, -2.0, 2.0, -1.0],
        [2.0, -6.0, 8.0, -6.0, 2.0],
        [-2.0, 8.0, -12.0, 8.0, -2.0],
        [2.0, -6.0, 8.0, -6.0, 2.0],
        [-1.0, 2.0, -2.0, 2.0, -1.0],
    ]
)
GRAY_LEVELS = 127.5  # From [-1, 1] to gray levels, in which a message changes a value by 1.


class Steganalyser(nn.Module):
    """GNCNN: a fixed high-pass filter, convolutions with Gaussian activations, and fully connected layers.

    The paper's images have 256 pixels a side, and no padding. Here the convolutions are padded, and there are
    as many blocks as leave 4 pixels a side. A batch norm precedes each activation.

    Args:
        image_size: pixels a side, a power of two.
    """

    kernel: Tensor

    def __init__(self, in_channels: int, *, image_size: int) -> None:
        super().__init__()
        kernel = (KV_FILTER / 12).expand(in_channels, 1, -1, -1)
        self.register_buffer("kernel", kernel.clone(), persistent=False)
        blocks: list[nn.Module] = []
        channels = in_channels
        for number in range((image_size // SMALLEST).bit_length() - 1):
            side = 3 if number else 5
            conv = nn.Conv2d(channels, WIDTH, side, padding=side // 2, bias=False)
            blocks += [conv, BatchNorm(WIDTH), Gaussian(), nn.AvgPool2d(3, stride=2, padding=1)]
            channels = WIDTH
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Linear(channels * SMALLEST**2, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits that (N, C, H, H) images in [-1, 1] carry a message, (N,)."""
        residuals = F.conv2d(x * GRAY_LEVELS, self.kernel, padding=2, groups=len(self.kernel))
        logits: Tensor = self.head(self.blocks(residuals).flatten(1))
        return logits[:, 0]


class Gaussian(nn.Module):
    """The activation exp(-x^2) of GNCNN, which is large for small residuals."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform features of any shape to (0, 1]."""
        return torch.exp(-x.square())
