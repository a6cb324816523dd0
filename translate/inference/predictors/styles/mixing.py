"""Style mixing: images with the shapes of some and the colours of others (arXiv:1812.04948, figure 3)."""

from __future__ import annotations

from torch import Tensor

COARSE_LAYERS = 4  # The layers up to 8 x 8 pixels, whose styles decide shapes and poses.


def mix_styles(coarse: Tensor, fine: Tensor) -> Tensor:
    """Mix the styles of the layers up to 8 x 8 pixels with those of the others.

    Args:
        coarse: styles of R images, (R, layers, w), which give shapes and poses.
        fine: styles of C images, (C, layers, w), which give colours and details.

    Returns:
        (R, C, layers, w).
    """
    mixed = fine.expand(len(coarse), -1, -1, -1).clone()
    mixed[:, :, :COARSE_LAYERS] = coarse[:, None, :COARSE_LAYERS]
    return mixed
