"""Distances of an image to its ground truth, value by value: mean absolute error and PSNR."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Image = npt.NDArray[Any] | Tensor


def l1(image: Tensor, target: Tensor) -> float:
    """Return the mean absolute error of two tensors of one shape: 0 is equal, 2 the worst in [-1, 1]."""
    return float((image.detach().cpu().double() - target.detach().cpu().double()).abs().mean())


def psnr(image: Image, target: Image, *, data_range: float) -> float:
    """Return the peak signal-to-noise ratio of one image in dB: 10 log10(data_range^2 / MSE).

    The mean squared error is taken in float64 over all values. For a batch, take the mean of the images'
    PSNRs.

    Args:
        image, target: arrays or tensors of any one shape.
        data_range: the largest value minus the smallest: 255 for 8 bits, 2 for [-1, 1].

    Returns:
        `math.inf` for equal images, NaN where a value is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    a, b = _float64(image), _float64(target)
    if a.shape != b.shape:
        raise ValueError(f"PSNR compares images of one shape, not {a.shape} and {b.shape}")
    with np.errstate(invalid="ignore", over="ignore"):  # Inf and NaN give a score, not a warning.
        error = float(np.square(a - b).mean())
    if error == 0:
        return math.inf
    return -math.inf if math.isinf(error) else 10 * math.log10(data_range**2 / error)


def _float64(image: Image) -> npt.NDArray[np.float64]:
    if isinstance(image, Tensor):
        image = image.detach().cpu().double().numpy()  # CPU first: Apple's MPS has no float64.
    return image.astype(np.float64, copy=False)
