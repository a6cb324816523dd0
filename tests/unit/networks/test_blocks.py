"""Tests of the norms, in both memory formats and per image, and of upsampling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from translate.networks import PatchGAN, ResNet, UNet
from translate.networks.blocks import BatchNorm, BlurPool, InstanceNorm, upsampling

aten = torch.ops.aten
FORMATS = [torch.contiguous_format, torch.channels_last]
EPS = 1e-5


def normalize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return each channel of each image, normalised by hand, and the deviation it is divided by."""
    mean = x.mean(dim=(2, 3), keepdim=True)
    deviation = ((x - mean).square().mean(dim=(2, 3), keepdim=True) + EPS).sqrt()
    return (x - mean) / deviation, deviation


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("count", [1, 2])
def test_instance_norm_before_a_convolution_has_the_right_value_and_gradient(
    count: int, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(count, 6, 9, 7).double().to(memory_format=layout).requires_grad_()
    conv = nn.Conv2d(6, 5, 3).double().to(memory_format=layout)
    out = conv(InstanceNorm()(x))
    weights = torch.randn_like(out)
    (gradient,) = torch.autograd.grad((out * weights).sum(), x)

    y, deviation = normalize(x.detach())
    output_gradient = F.conv_transpose2d(weights, conv.weight.detach())  # Of the norm's output.
    mean = output_gradient.mean((2, 3), keepdim=True)
    expected = output_gradient - mean - y * (output_gradient * y).mean((2, 3), keepdim=True)
    torch.testing.assert_close(out, conv(y))
    torch.testing.assert_close(gradient, expected / deviation)


@pytest.mark.parametrize(
    ("size", "layout", "normalization"),
    [
        ((2, 3, 4, 4), torch.contiguous_format, aten.native_batch_norm),
        ((1, 3, 1, 2), torch.contiguous_format, aten.native_batch_norm),
        ((2, 3, 4, 4), torch.channels_last, aten.native_group_norm),
        ((2, 3, 1, 1), torch.contiguous_format, aten.native_group_norm),  # `F.instance_norm` refuses this.
    ],
)
@pytest.mark.parametrize("norm", [InstanceNorm, partial(InstanceNorm, 3)], ids=["plain", "affine"])
def test_norms_of_contiguous_images_are_computed_as_instance_norms_on_a_gpu(
    norm: Callable[[], InstanceNorm],
    size: tuple[int, ...],
    layout: torch.memory_format,
    normalization: torch._ops.OpOverloadPacket,
) -> None:
    with FakeTensorMode(), torch.device("cuda"), Recorder() as recorder:  # Of shapes only, so without a GPU.
        x = torch.empty(size, dtype=torch.bfloat16).to(memory_format=layout)
        y = norm()(x)
    assert normalization.default in recorder.functions
    assert y.dtype == x.dtype
    assert y.shape == x.shape


class Recorder(TorchDispatchMode):
    """Records the operations that torch runs."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: list[Any] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.functions.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (lambda: ResNet(width=4, depth=2, norm="instance"), 16),
        (lambda: UNet(width=4, depth=4, norm="instance", dropout=False), 16),
        (lambda: PatchGAN(width=4, norm="instance"), 32),
    ],
    ids=["resnet", "unet", "patchgan"],
)
def test_the_memory_format_changes_neither_output_nor_gradients(network, size: int) -> None:
    results = []
    for layout in FORMATS:
        torch.manual_seed(0)
        net = network().double().to(memory_format=layout)
        x = torch.randn(1, 3, size, size).double().to(memory_format=layout).requires_grad_()
        out = net(x)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        results.append([out, x.grad, *(weight.grad for weight in net.parameters())])
    for contiguous, channels_last in zip(*results, strict=True):
        torch.testing.assert_close(channels_last, contiguous, rtol=1e-8, atol=1e-8)


def trained_batch_norm(channels: int) -> BatchNorm:
    """Return a batch norm whose weights and running statistics differ from the initial ones."""
    torch.manual_seed(0)
    norm = BatchNorm(channels)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm(3 * torch.randn(8, channels, 5, 5) + 1)
    return norm


def test_per_image_batch_norm_equals_a_training_forward_at_batch_size_1() -> None:
    norm = trained_batch_norm(4)
    x = torch.randn(3, 4, 6, 6) * 5 - 2
    norm.per_image = True
    batch = norm.eval()(x)
    for index in range(3):
        torch.testing.assert_close(batch[index : index + 1], norm(x[index : index + 1]))
    for index in range(3):
        image = norm.train()(x[index : index + 1])
        torch.testing.assert_close(batch[index : index + 1], image, rtol=1e-5, atol=1e-5)


def test_batch_norm_uses_the_running_statistics_unless_per_image_is_set() -> None:
    norm = trained_batch_norm(4).eval()
    x = torch.randn(2, 4, 6, 6)
    expected = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    torch.testing.assert_close(norm(x), expected)
    norm.per_image = True
    assert not torch.allclose(norm(x), expected, atol=1e-2)


def test_per_image_batch_norm_uses_the_batch_statistics_in_training() -> None:
    x = torch.randn(3, 4, 6, 6)
    plain, per_image = trained_batch_norm(4), trained_batch_norm(4)
    per_image.per_image = True
    torch.testing.assert_close(per_image(x), plain(x))
    torch.testing.assert_close(per_image.running_mean, plain.running_mean)


@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize("kind", ["deconv", "resize"])
def test_upsampling_doubles_height_and_width(kind: str, kernel: int) -> None:
    assert upsampling(kind, 3, 5, kernel, bias=True)(torch.zeros(2, 3, 4, 6)).shape == (2, 5, 8, 12)


def test_resize_upsampling_of_a_uniform_image_has_no_checkerboard() -> None:
    torch.manual_seed(0)
    out = upsampling("resize", 3, 5, 3, bias=True)(torch.ones(1, 3, 8, 8))
    assert out.std(dim=(2, 3)).max() < 1e-6


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (2, 5)])
def test_a_blur_pool_is_a_reflected_binomial_filter_at_every_second_pixel(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    line = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    kernel = (line[:, None] * line / 16).expand(3, 1, 3, 3)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=3)
    torch.testing.assert_close(BlurPool()(x), expected)


def test_the_blur_upsampling_is_a_transposed_binomial_filter() -> None:
    layer = upsampling("blur", 2, 2, 3, bias=True).double()
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64)
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    kernel = (line[:, None] * line / 16).expand(2, 1, 4, 4)
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv_transpose2d(padded, kernel, stride=2, padding=2, groups=2)[..., 1:-1, 1:-1]
    torch.testing.assert_close(layer(x), layer[1](blurred))
    assert layer(x).shape == (1, 2, 10, 8)
