"""Convert pixels to the tensors in [-1, 1] that networks take (normalization), and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from translate.images.frame import WHITE, Array

STRIP_VALUES = 2**18  # The values that are converted at once.


def to_tensor(pixels: Array | Tensor) -> Tensor:
    """Normalize pixels to float32 in [-1, 1].

    Args:
        pixels: an array (H, W, C) of uint8, uint16, or float32 in [0, 1]; or a tensor (N, C, H, W) of uint8
            on any device.

    Returns:
        (N, C, H, W) float32.
    """
    white = 255.0
    if not isinstance(pixels, Tensor):
        white = WHITE[str(pixels.dtype)]
        # Torch needs a writable array, and that of a caller may be read-only.
        array = np.require(pixels, requirements=["C", "W"])
        pixels = torch.from_numpy(array).permute(2, 0, 1).unsqueeze(0)
    if pixels.dtype == torch.float32:
        pixels = pixels.clone()
    return pixels.to(torch.float32).div_(white / 2).sub_(1)


def to_pixels(image: Tensor, dtype: Any = np.uint8) -> Array:
    """Convert a (C, H, W) image in [-1, 1] to an (H, W, C) array; values outside the range are clipped."""
    return denormalize(image.detach().to("cpu", torch.float32).permute(1, 2, 0), dtype)


def quantize(images: Tensor) -> Tensor:
    """Convert (N, C, H, W) images in [-1, 1] to (N, H, W, C) uint8 on their device; values are clipped.

    The values are those of `to_pixels`, to the bit.
    """
    white = WHITE["uint8"]
    scaled = images.add(1).mul_(white / 2).clamp_(0, white).round_()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def denormalize(values: Tensor, dtype: Any) -> Array:
    """Convert float32 values in [-1, 1] on the CPU to uint8, uint16, or float32 in [0, 1], with clipping."""
    white = WHITE[np.dtype(dtype).name]
    pixels = np.empty_like(values.numpy(), dtype)  # in the order of the values in memory
    # Strips fit into the cache, and the intermediate floats of a page of a scan would take 180 MB.
    rows = max(1, STRIP_VALUES // max(1, values[:1].numel()))
    for top in range(0, len(values), rows):
        scaled = values[top : top + rows].add(1).mul_(white / 2).clamp_(0, white)
        pixels[top : top + rows] = (scaled if dtype == np.float32 else scaled.round_()).numpy()
    return pixels
