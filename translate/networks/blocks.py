"""Building blocks of the networks: norms, an activation, down- and upsampling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config.model import DOWNSAMPLINGS, NORMS, UPSAMPLINGS
from translate.errors import UsageError, nearest
from translate.mixed_precision import at_least_float32


class InstanceNorm(nn.Module):
    """Instance norm: each channel of each image gets mean 0 and variance 1 (arXiv:1607.08022).

    It is computed as a group norm with one channel per group, which is the same function and keeps the
    tensor's memory format. `F.instance_norm` returns wrong gradients for a channels_last image on the CPU
    (torch 2.13 and 2.15), but is faster on CUDA (`normalize_per_image`).

    Args:
        channels: C, for an affine norm with a weight and a bias per channel; None is without.
    """

    eps = 1e-5

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.weight = self.bias = None
        if channels is not None:
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features by each image's own mean and variance."""
        return normalize_per_image(self, x)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that can use per-image statistics in `eval()`, and synchronise its statistics in training.

    Attributes:
        per_image: in `eval()`, normalise each image by its own mean and variance instead of the running
            statistics. This is what training computes at batch size 1, so that a network trained with batch
            size 1 is applied as it was trained.
        synchronized: in training, compute the statistics over the batches of all processes: synchronized
            batch norm.
    """

    per_image = False
    synchronized = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features."""
        if self.training and self.synchronized:
            return synchronized_batch_norm(self, x)
        return normalize_per_image(self, x) if self.per_image and not self.training else super().forward(x)


class BatchNorm3d(BatchNorm):
    """The batch norm of volumes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, D, H, W) features."""
        return super().forward(x.flatten(3)).reshape(x.shape)


def normalize_per_image(norm: InstanceNorm | BatchNorm, x: Tensor) -> Tensor:
    """Normalise (N, C, H, W) features by each image's own mean and variance."""
    # Autocast computes a group norm in float32, but an instance norm in half precision. Of a single pixel,
    # `F.instance_norm` refuses the variance. A compiler fuses the group norm, in any memory format.
    is_contiguous_on_cuda = not torch.compiler.is_compiling() and x.is_cuda and x.is_contiguous()
    if is_contiguous_on_cuda and x.shape[2] * x.shape[3] > 1:
        return F.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=norm.eps)
    return F.group_norm(x, x.shape[1], norm.weight, norm.bias, norm.eps)


def synchronized_batch_norm(norm: BatchNorm, x: Tensor) -> Tensor:
    """Normalise (N, C, H, W) features by the mean and variance over the batches of all processes.

    Forward, gradient and running statistics are those of one large batch. Each process must hold the same
    number of images.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    mean = _mean_over_processes(x.to(dtype))
    centered = x - mean
    variance = _mean_over_processes(centered.square())
    count = x.numel() // x.shape[1] * dist.get_world_size()
    _update_running_statistics(norm, mean, variance, count)
    y = centered * (variance + norm.eps).rsqrt()
    if norm.affine:
        y = y * norm.weight[:, None, None] + norm.bias[:, None, None]
    return y.to(x.dtype)


@torch.no_grad()
def _update_running_statistics(norm: BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Update the running statistics as `nn.BatchNorm2d` does, from those of `count` values per channel."""
    _batches_tracked(norm).add_(1)
    for running, new in ((norm.running_mean, mean), (norm.running_var, variance * count / (count - 1))):
        assert running is not None
        assert norm.momentum is not None
        running.lerp_(new.flatten().to(running.dtype), norm.momentum)


@contextmanager
def freeze_statistics(*networks: nn.Module) -> Iterator[None]:
    """Inside, batch norms in training do not update their running statistics; all else is as usual.

    Use it for images that a network is not applied to once it is trained, or that have counted already.
    """
    norms = [m for network in networks for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [(norm.momentum, _batches_tracked(norm).clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            _batches_tracked(norm).copy_(batches)


def _batches_tracked(norm: nn.BatchNorm2d) -> Tensor:
    """Return the number of batches in the running statistics, a scalar."""
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked


def _mean_over_processes(x: Tensor) -> Tensor:
    """Return the mean of (N, C, H, W) per channel over all processes, (1, C, 1, 1), differentiable."""
    total: Tensor = _SumOverProcesses.apply(x.mean(dim=(0, 2, 3), keepdim=True))
    return total / dist.get_world_size()


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total: Tensor = _SumOverProcesses.apply(gradient)
        return total


def per_image_norms(network: nn.Module) -> list[InstanceNorm | BatchNorm]:
    """Return the norms of a network that, in `eval()`, use the statistics of the image itself."""
    kinds = (InstanceNorm, BatchNorm)
    return [m for m in network.modules() if isinstance(m, kinds) and getattr(m, "per_image", True)]


def make_norm(kind: str, channels: int) -> nn.Module:
    """Create the norm called `batch`, `instance`, `instance-affine` or `none` for a number of channels.

    Raises:
        UsageError: there is no such norm.
    """
    if kind not in NORMS:
        raise UsageError(f"no norm {kind!r}{nearest(kind, NORMS)}")
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "instance-affine":
        return InstanceNorm(channels)
    return InstanceNorm() if kind == "instance" else nn.Identity()


class PixelNorm(nn.Module):
    """Pixel norm: the features of each pixel get the mean square 1 (arXiv:1710.10196, section 4.2)."""

    eps = 1e-8

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) features, or (N, C) noise, over their channels."""
        mean_square = at_least_float32(x).square().mean(dim=1, keepdim=True)
        return x * (mean_square + self.eps).rsqrt().to(x.dtype)


def leaky_relu() -> nn.Module:
    """Create a leaky ReLU of slope 0.2, in place, so that autograd stores one tensor per layer, not two."""
    return nn.LeakyReLU(0.2, inplace=True)


class BlurPool(nn.Module):
    """Antialiased downsampling by 2: a blur with the filter [1, 2, 1] / 4, then every second pixel.

    It pads by reflection, as CUT does (arXiv:2007.15651; filter of arXiv:1904.11486). There are no weights to
    store, and a sum saves nothing for the backward pass. On a CPU, pooling and a convolution in half
    precision took several times as long.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Halve (N, C, H, W) features; an odd side of n pixels becomes (n + 1) / 2."""
        height, width = x.shape[2:]
        if height % 2 or width % 2:
            x = F.pad(x, (0, width % 2, 0, height % 2), mode="reflect")
        # Not slices, whose gradients would be maps full of zeros; for single columns, slices are faster.
        even, odd = x.unflatten(2, (-1, 2)).unbind(3)  # type: ignore[no-untyped-call]
        before = torch.cat([odd[:, :, :1], odd[:, :, :-1]], dim=2)
        x = torch.add(odd + before, even, alpha=2)
        even, odd = x[..., ::2], x[..., 1::2]
        before = torch.cat([odd[..., :1], odd[..., :-1]], dim=3)
        return torch.add(odd + before, even, alpha=2) / 16


def downsampling(kind: str) -> tuple[int, list[nn.Module]]:
    """Return how a convolution halves height and width: its stride, and the layers after its activation.

    Args:
        kind: `strided`, the papers' convolution of stride 2, or `blur`, a convolution of the full size and a
            blur pool, as in CUT.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in DOWNSAMPLINGS:
        raise UsageError(f"no downsampling {kind!r}{nearest(kind, DOWNSAMPLINGS)}")
    return (2, []) if kind == "strided" else (1, [BlurPool()])


def upsampling(kind: str, in_channels: int, out_channels: int, kernel: int, *, bias: bool) -> nn.Module:
    """Create a layer that doubles height and width.

    Args:
        kind: `deconv`, the papers' transposed convolution; `resize`, nearest-neighbour upsampling and a 3x3
            convolution, which makes no checkerboard artifacts (distill.pub/2016/deconv-checkerboard); or
            `blur`, antialiased upsampling and a 3x3 convolution, as in CUT, whose filter [1, 3, 3, 1] / 4 is
            bilinear interpolation.
        kernel: the side of the transposed convolution's kernel.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in UPSAMPLINGS:
        raise UsageError(f"no upsampling {kind!r}{nearest(kind, UPSAMPLINGS)}")
    if kind == "resize":
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=bias),
        )
    if kind == "blur":
        return nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias),
        )
    odd = kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, stride=2, padding=1, output_padding=odd, bias=bias
    )
