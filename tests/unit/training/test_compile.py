"""The memory format that is fastest on the machine is chosen."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from translate.methods.registry import find_method
from translate.models import Precision
from translate.training.step.compile import memory_format


@pytest.mark.parametrize(
    ("method", "batch_size", "settings", "dtype", "expected"),
    [
        ("pix2pix", 1, {}, torch.float32, torch.contiguous_format),
        ("pix2pix", 1, {}, torch.bfloat16, torch.channels_last),
        ("pix2pix", 64, {}, torch.float32, torch.channels_last),
        ("pix2pix", 1, {"compile": "on"}, torch.float32, torch.channels_last),
        # Instance norms are slow in channels_last, unless they are compiled.
        ("cyclegan", 64, {}, torch.bfloat16, torch.contiguous_format),
        ("cyclegan", 1, {"compile": "on"}, torch.bfloat16, torch.channels_last),
        ("dcgan", 64, {"channels": 3}, torch.float32, torch.channels_last),
    ],
)
def test_the_memory_format_on_a_cpu(
    method: str,
    batch_size: int,
    settings: dict[str, Any],
    dtype: torch.dtype,
    expected: torch.memory_format,
) -> None:
    recipe = find_method(method)
    c = recipe.config_class()(**{"compile": "off", "batch_size": batch_size, "ngf": 4, "ndf": 4, **settings})
    trainer = recipe.load_task().trainer(c)
    precision = Precision(torch.device("cpu"), dtype)
    assert memory_format(trainer, c, precision, compiled=c.compile == "on") is expected


def test_the_memory_format_on_a_gpu_is_always_channels_last() -> None:
    recipe = find_method("cyclegan")
    c = recipe.config_class()(compile="off", ngf=4, ndf=4)
    trainer = recipe.load_task().trainer(c)
    precision = Precision(torch.device("cuda"), torch.float32)
    assert memory_format(trainer, c, precision, compiled=False) is torch.channels_last
