"""Between pixels and the networks' tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from translate.images.picture import Pixels


def to_tensor(pixels: Pixels | Tensor) -> Tensor:
    """(H, W, C) uint8, or (N, C, H, W) uint8 on any device -> (N, C, H, W) float32 in [-1, 1]."""
    if not isinstance(pixels, Tensor):
        pixels = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).unsqueeze(0)
    return pixels.to(torch.float32).div_(127.5).sub_(1)


def to_pixels(image: Tensor) -> Pixels:
    """(C, H, W) in [-1, 1] -> (H, W, C) uint8; what lies outside is clipped."""
    levels = image.detach().to("cpu", torch.float32).add(1).mul(127.5).round().clamp(0, 255)
    pixels: Pixels = levels.to(torch.uint8).permute(1, 2, 0).numpy()
    return pixels
