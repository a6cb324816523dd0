"""Random changes of what a discriminator sees, through which gradients pass (arXiv:2006.10738)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFT = 1 / 8  # of the side: the farthest that an image is moved
HOLE = 1 / 2  # of the side: the square that is cut out


class DiffAugment(nn.Module):
    """Recolours, moves and cuts each image anew: a small set then teaches less by heart.

    Real and generated images must both pass through it (section 3.2).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> the same shape; colours may leave the range a little."""
        return _cut(_moved(_recolored(x)))


def _recolored(x: Tensor) -> Tensor:
    """Brightness moved by at most 0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    x = x + brightness - 0.5
    x = torch.lerp(x.mean(dim=1, keepdim=True), x, 2 * saturation)
    return torch.lerp(x.mean(dim=(1, 2, 3), keepdim=True), x, 0.5 + contrast)


def _moved(x: Tensor) -> Tensor:
    """By up to an eighth of the side; what comes in at the border is 0."""
    count, _, height, width = x.shape
    reach_y, reach_x = round(height * SHIFT), round(width * SHIFT)
    padded = F.pad(x, (reach_x, reach_x, reach_y, reach_y))
    rows = torch.randint(2 * reach_y + 1, (count, 1, 1), device=x.device) + _places(height, x)[:, None]
    columns = torch.randint(2 * reach_x + 1, (count, 1, 1), device=x.device) + _places(width, x)
    images = torch.arange(count, device=x.device)[:, None, None]
    return padded[images, :, rows, columns].permute(0, 3, 1, 2)


def _cut(x: Tensor) -> Tensor:
    """A square of half the side becomes 0, wherever its middle lies."""
    count, _, height, width = x.shape
    middle = torch.rand(2, count, 1, 1, device=x.device)
    in_rows = (_places(height, x)[:, None] - middle[0] * height).abs() < height * HOLE / 2
    in_columns = (_places(width, x) - middle[1] * width).abs() < width * HOLE / 2
    return x.masked_fill((in_rows & in_columns)[:, None], 0.0)


def _places(side: int, x: Tensor) -> Tensor:
    return torch.arange(side, device=x.device)
