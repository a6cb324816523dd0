"""Antialiased resampling of feature maps by a FIR filter: upfirdn2d by depthwise convolutions.

Upsample by zero insertion, filter, and keep every n-th pixel (arXiv:1912.04958, appendix B). All of it is
plain PyTorch, which compiles and can be differentiated twice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Pair = tuple[int, int]  # Of x and y.


def fir_filter(taps: tuple[float, ...] = (1, 3, 3, 1)) -> Tensor:
    """Return the separable filter of these taps, (K, K) float32, with a sum of 1."""
    taps_1d = torch.tensor(taps, dtype=torch.float32)
    taps_2d = taps_1d[:, None] * taps_1d
    return taps_2d / taps_2d.sum()


def upfirdn2d(
    x: Tensor,
    taps: Tensor,
    *,
    up: Pair = (1, 1),
    down: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    gain: float = 1.0,
) -> Tensor:
    """Upsample by zero insertion, pad, convolve with a filter, and downsample.

    Args:
        x: (N, C, H, W).
        taps: the filter, (K_y, K_x), a true convolution: it is turned by 180 degrees.
        up, down: factors in x and in y.
        padding: left, right, top and bottom, after the zero insertion; a negative number crops.
        gain: multiplies the result.

    Returns:
        (N, C, (H up_y + top + bottom - K_y) // down_y + 1, the same in x).
    """
    channels, (rows, columns) = x.shape[1], taps.shape
    kernel = (taps.to(x.dtype) * gain).expand(channels, 1, rows, columns)
    left, right, top, bottom = padding
    if up == (1, 1):
        x = F.pad(x, padding)
        return F.conv2d(x, kernel.flip((2, 3)), stride=down[::-1], groups=channels)
    # A transposed convolution inserts the zeros between the pixels, but not those after the last ones.
    x = F.conv_transpose2d(x, kernel, stride=up[::-1], groups=channels)
    x = F.pad(
        x,
        (
            left - columns + 1,
            right - columns + up[0],
            top - rows + 1,
            bottom - rows + up[1],
        ),
    )
    return x[:, :, :: down[1], :: down[0]]


class Resampler(nn.Module):
    """A filter with which feature maps are upsampled or downsampled by 2, or blurred.

    Attributes:
        taps: the filter, (4, 4) float32.
    """

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taps", fir_filter())

    def forward(self, x: Tensor, *, up: int = 1, down: int = 1, padding: Pair, gain: float = 1.0) -> Tensor:
        """Resample (N, C, H, W) as `upfirdn2d` does, alike in x and y.

        Args:
            padding: before and after, in x and in y.
        """
        return upfirdn2d(
            x, self.taps, up=(up, up), down=(down, down), padding=(*padding, *padding), gain=gain
        )
