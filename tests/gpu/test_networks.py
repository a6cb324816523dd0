"""The norms of the networks, and float32 itself, on a GPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.models import pick_device, pick_precision
from translate.networks.blocks import BatchNorm, InstanceNorm

pytestmark = pytest.mark.gpu


def per_image() -> BatchNorm:
    norm = BatchNorm(5)
    norm.per_image = True
    return norm.eval()


NORMS: dict[str, Callable[[], nn.Module]] = {
    "instance": InstanceNorm,
    "affine": lambda: InstanceNorm(5),
    "batch norm per image": per_image,
}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(1, 5, 24, 24), (3, 5, 7, 9), (2, 5, 1, 1)])
@pytest.mark.parametrize("name", NORMS)
def test_an_instance_norm_is_a_group_norm_with_one_channel_a_group(
    name: str, shape: tuple[int, ...], memory_format: torch.memory_format, gpu: str
) -> None:
    random = torch.Generator().manual_seed(0)
    norm, weight = NORMS[name](), torch.randn(shape, generator=random)
    for parameter in norm.parameters():
        nn.init.normal_(parameter, 1, 0.2, generator=random)
    values = 3 * torch.randn(shape, generator=random) + 1

    def run(function: Callable[[Tensor], Tensor], device: str) -> list[Tensor]:
        x = values.to(device).to(memory_format=memory_format).requires_grad_()
        y = function(x)
        (y * weight.to(device)).sum().backward()
        assert x.grad is not None
        return [y.detach().cpu(), x.grad.cpu()]

    scale, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    expected = run(lambda x: F.group_norm(x, 5, scale, bias), "cpu")
    for value, reference in zip(run(norm.to(gpu), gpu), expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-4)


def test_float32_is_exact_and_tf32_is_not(cuda: str) -> None:
    device = pick_device(cuda)
    random = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=random) for shape in ((8, 256, 16, 16), (256, 256, 3, 3)))
    exact = F.conv2d(x.double(), weight.double())
    errors = {}
    for name in ("fp32", "tf32"):
        with pick_precision(name, device).autocast():
            y = F.conv2d(x.to(device), weight.to(device)).double().cpu()
        errors[name] = float((y - exact).abs().max() / exact.std())
    assert errors["fp32"] < 5e-5  # cuDNN may choose Winograd's algorithm.
    assert 1e-4 < errors["tf32"] < 1e-2
