"""The pieces that the networks share: norms and the decoder's upsampling."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Statistics = tuple[Tensor, Tensor]


class InstanceNorm(nn.Module):
    """Each channel of each picture to mean 0 and variance 1 (arXiv:1607.08022).

    Computed as a group norm of one channel a group: the same function, which stays in the
    tensor's memory format. `F.instance_norm` returns wrong gradients for a channels_last
    picture on the CPU (torch 2.13 and 2.15).

    Args:
        channels: C, with a weight and a bias for each; None is without.
    """

    statistics_of: Callable[[nn.Module, Tensor], Statistics] | None = None
    eps = 1e-5

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.weight = self.bias = None
        if channels is not None:
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return normalize(self, x)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that can also normalise each picture by its own statistics when applied.

    With `per_picture` set, `eval()` gives what a training forward of that picture alone gives,
    so that a network trained with batch size 1 is applied as it was trained.
    """

    statistics_of: Callable[[nn.Module, Tensor], Statistics] | None = None
    per_picture = False

    def forward(self, x: Tensor) -> Tensor:
        return normalize(self, x) if self.per_picture and not self.training else super().forward(x)


def normalize(norm: InstanceNorm | BatchNorm, x: Tensor) -> Tensor:
    """Normalise (N, C, H, W) by each picture's own mean and variance.

    A part of a larger picture is normalised by the whole's: `norm.statistics_of(norm, x)` then
    gives the mean and the variance to use, (C,) float32 each.
    """
    if norm.statistics_of is None:
        return F.group_norm(x, x.shape[1], norm.weight, norm.bias, norm.eps)
    mean, variance = norm.statistics_of(norm, x)
    return F.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)


def picture_norms(network: nn.Module) -> list[InstanceNorm | BatchNorm]:
    """The norms of a network in `eval()` whose statistics are those of the picture at hand."""
    kinds = (InstanceNorm, BatchNorm)
    return [m for m in network.modules() if isinstance(m, kinds) and getattr(m, "per_picture", True)]


def make_norm(kind: str, channels: int) -> nn.Module:
    """The norm called `batch`, `instance`, `instance-affine` or `none`, over `channels`."""
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "instance-affine":
        return InstanceNorm(channels)
    return InstanceNorm() if kind == "instance" else nn.Identity()


def upsampling(kind: str, in_channels: int, out_channels: int, kernel: int, *, bias: bool) -> nn.Module:
    """Twice the height and width: `deconv`, the papers' transposed convolution, or `resize`,
    nearest neighbour and a 3x3 convolution, free of checkerboards (distill.pub/2016/deconv-checkerboard).
    """
    if kind == "resize":
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=bias),
        )
    odd = kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, stride=2, padding=1, output_padding=odd, bias=bias
    )
