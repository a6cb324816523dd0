"""Scores against a true answer."""

from __future__ import annotations

import math

from torch import Tensor


def l1(image: Tensor, truth: Tensor) -> float:
    """Mean absolute difference of two (N, C, H, W) tensors in [-1, 1]; 0 is equal, 2 the worst."""
    return float((_exact(image) - _exact(truth)).abs().mean())


def _exact(image: Tensor) -> Tensor:
    """In float64, on the CPU: not every device has it."""
    return image.detach().cpu().double()


def psnr(image: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of (N, C, H, W) tensors in [-1, 1], the mean over the N images.

    10 log10(peak^2 / MSE), the peak being the range's width, 2; infinite for equal images.
    """
    errors = (_exact(image) - _exact(truth)).square().flatten(1).mean(dim=1).tolist()
    return sum(10 * math.log10(4 / error) if error else math.inf for error in errors) / len(errors)
