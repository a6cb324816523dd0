"""Convert between pixels and the tensors of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from translate.images.frame import WHITE, Array


def to_tensor(pixels: Array | Tensor) -> Tensor:
    """Convert pixels to float32 in [-1, 1].

    Args:
        pixels: (H, W, C) uint8, uint16 or float32 in [0, 1]; or a tensor of (N, C, H, W) uint8 on any device.

    Returns:
        (N, C, H, W) float32.
    """
    white = 255.0
    if not isinstance(pixels, Tensor):
        white = WHITE[str(pixels.dtype)]
        pixels = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).unsqueeze(0)
    if pixels.dtype == torch.float32:
        pixels = pixels.clone()
    return pixels.to(torch.float32).div_(white / 2).sub_(1)


def to_pixels(image: Tensor, kind: Any = np.uint8) -> Array:
    """Convert (C, H, W) in [-1, 1] to (H, W, C) of that kind of number; what lies outside is clipped."""
    return levels(image.detach().to("cpu", torch.float32).permute(1, 2, 0), kind)


def levels(values: Tensor, kind: Any) -> Array:
    """Convert values in [-1, 1] to uint8, uint16 or float32 in [0, 1]."""
    white = WHITE[np.dtype(kind).name]
    scaled = values.add(1).mul_(white / 2).clamp_(0, white)
    pixels: Array = scaled.numpy() if kind == np.float32 else scaled.round_().numpy().astype(kind)
    return pixels
