"""The pieces that the networks share: norms and the decoder's upsampling."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class InstanceNorm(nn.Module):
    """Each channel of each picture to mean 0 and variance 1 (arXiv:1607.08022), no weights.

    Computed as a group norm of one channel a group: the same function, which stays in the
    tensor's memory format. `F.instance_norm` returns wrong gradients for a channels_last
    picture on the CPU (torch 2.13 and 2.15).
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, x.shape[1])


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that can also normalise each picture by its own statistics when applied.

    With `per_picture` set, `eval()` gives what a training forward of that picture alone gives,
    so that a network trained with batch size 1 is applied as it was trained.
    """

    per_picture = False

    def forward(self, x: Tensor) -> Tensor:
        if self.per_picture and not self.training:
            return F.group_norm(x, x.shape[1], self.weight, self.bias, self.eps)
        return super().forward(x)


def make_norm(kind: str, channels: int) -> nn.Module:
    """The norm called `batch`, `instance` or `none`, over `channels`."""
    if kind == "batch":
        return BatchNorm(channels)
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
