"""Parts of the reconstruction losses of inpainting: means over a region, and weights inside a hole."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_mean(error: Tensor, region: Tensor) -> Tensor:
    """Return the mean of the images' mean errors in a region, so that a small hole counts as a large one.

    Args:
        error: (N, C, H, W).
        region: (N, 1, H, W), 1 inside and 0 elsewhere.
    """
    means = (error * region).sum((1, 2, 3)) / (error.shape[1] * region.sum((1, 2, 3))).clamp_min(1)
    return means.mean()


def spatial_discount(height: int, width: int, gamma: float) -> Tensor:
    """Return weights of the pixels of a hole, gamma to the power of the distance from its border, (H, W).

    arXiv:1801.07892, section 3: the farther from the known pixels, the more fillings are right. The
    distance is that to the nearest side, in pixels; as in the authors' code, it is 0 for the first row and
    column, and 1 for the last.
    """
    rows, columns = (torch.minimum(torch.arange(side), side - torch.arange(side)) for side in (height, width))
    return gamma ** torch.minimum(rows[:, None], columns).double()
