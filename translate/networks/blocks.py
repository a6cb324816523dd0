"""The pieces that the networks share: norms, an activation and the decoder's upsampling."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config.model import NORMS, UPSAMPLINGS
from translate.errors import UsageError, nearest


class InstanceNorm(nn.Module):
    """Each channel of each image to mean 0 and variance 1 (arXiv:1607.08022).

    Computed as a group norm of one channel a group: the same function, which stays in the
    tensor's memory format. `F.instance_norm` returns wrong gradients for a channels_last
    image on the CPU (torch 2.13 and 2.15).

    Args:
        channels: C, with a weight and a bias for each; None is without.
    """

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
    """Batch norm that can also normalise each image by its own statistics when applied.

    With `per_image` set, `eval()` gives what a training forward of that image alone gives,
    so that a network trained with batch size 1 is applied as it was trained.
    """

    per_image = False
    synchronized = False

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        if self.training and self.synchronized:
            return normalize_over_processes(self, x)
        return normalize(self, x) if self.per_image and not self.training else super().forward(x)


def normalize(norm: InstanceNorm | BatchNorm, x: Tensor) -> Tensor:
    """Normalise (N, C, H, W) by each image's own mean and variance."""
    return F.group_norm(x, x.shape[1], norm.weight, norm.bias, norm.eps)


def normalize_over_processes(norm: BatchNorm, x: Tensor) -> Tensor:
    """Batch norm of (N, C, H, W) by the mean and the variance over all processes' images, as if they
    were one batch; gradients go through both. Each process must hold as many images.
    """
    kind = torch.promote_types(x.dtype, torch.float32)
    mean = _mean_over_processes(x.to(kind))
    centered = x - mean
    variance = _mean_over_processes(centered.square())
    _remember(norm, mean, variance, count=x.numel() // x.shape[1] * dist.get_world_size())
    y = centered * (variance + norm.eps).rsqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
    return y.to(x.dtype)


@torch.no_grad()
def _remember(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of `count` values, as torch does."""
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    for running, new in ((norm.running_mean, mean), (norm.running_var, variance * count / (count - 1))):
        assert running is not None
        assert norm.momentum is not None
        running.lerp_(new.flatten().to(running.dtype), norm.momentum)


def _mean_over_processes(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (1, C, 1, 1)."""
    import torch.distributed.nn.functional as differentiable  # a moment of import that others are spared

    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    total: Tensor = differentiable.all_reduce(mean)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


def per_image_norms(network: nn.Module) -> list[InstanceNorm | BatchNorm]:
    """The norms of a network in `eval()` whose statistics are those of the image at hand."""
    kinds = (InstanceNorm, BatchNorm)
    return [m for m in network.modules() if isinstance(m, kinds) and getattr(m, "per_image", True)]


def make_norm(kind: str, channels: int) -> nn.Module:
    """The norm called `batch`, `instance`, `instance-affine` or `none`, over `channels`."""
    if kind not in (*NORMS, "instance-affine"):
        raise UsageError(f"no norm {kind!r}{nearest(kind, NORMS)}")
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "instance-affine":
        return InstanceNorm(channels)
    return InstanceNorm() if kind == "instance" else nn.Identity()


def leaky_relu() -> nn.Module:
    """Of slope 0.2 and in place: the gradient needs no second copy of a layer."""
    return nn.LeakyReLU(0.2, inplace=True)


def upsampling(kind: str, in_channels: int, out_channels: int, kernel: int, *, bias: bool) -> nn.Module:
    """Twice the height and width: `deconv`, the papers' transposed convolution, or `resize`,
    nearest neighbour and a 3x3 convolution, free of checkerboards (distill.pub/2016/deconv-checkerboard).
    """
    if kind not in UPSAMPLINGS:
        raise UsageError(f"no upsampling {kind!r}{nearest(kind, UPSAMPLINGS)}")
    if kind == "resize":
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=bias),
        )
    odd = kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, stride=2, padding=1, output_padding=odd, bias=bias
    )
