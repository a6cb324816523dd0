"""Layers with an equalized learning rate: weights are scaled at runtime (arXiv:1710.10196, section 4.1).

The stored weights of all layers have the same deviation, so that a step of Adam, whose length does not depend
on the scale of the gradient, changes all layers by the same share.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class EqualizedConv2d(nn.Conv2d):
    """A convolution with an equalized learning rate.

    The weight is stored as N(0, 1) / lr_mul, and used times gain * lr_mul / sqrt(fan-in). The bias starts at
    0, and is used times lr_mul.

    Args:
        gain: sqrt(2) where a ReLU follows (He's initialization, arXiv:1502.01852).
        lr_mul: the learning rate of this layer, as a factor of that of the others.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        gain: float = 1.0,
        lr_mul: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.scale, self.lr_mul = _equalize(self, gain, lr_mul), lr_mul

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, in_channels, H, W) features."""
        bias = self.bias if self.bias is None else self.bias * self.lr_mul
        return F.conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)


class EqualizedLinear(nn.Linear):
    """A fully connected layer with an equalized learning rate; the arguments are as for `EqualizedConv2d`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        gain: float = 1.0,
        lr_mul: float = 1.0,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.scale, self.lr_mul = _equalize(self, gain, lr_mul), lr_mul

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        bias = self.bias if self.bias is None else self.bias * self.lr_mul
        return F.linear(x, self.weight * self.scale, bias)


def _equalize(layer: nn.Conv2d | nn.Linear, gain: float, lr_mul: float) -> float:
    """Initialize the weight of a layer to N(0, 1) / lr_mul and its bias to 0; return the weight's factor."""
    nn.init.normal_(layer.weight, std=1 / lr_mul)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    fan_in = layer.weight[0].numel()
    return gain * lr_mul / math.sqrt(fan_in)


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """Return the leaky ReLU of slope 0.2, times sqrt(2), which keeps the second moment of normal inputs."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)
