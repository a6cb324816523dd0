"""What is chosen for speed on the machine at hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from translate.methods.registry import find_method
from translate.models import Precision
from translate.training.step.compile import memory_format

LAST, FIRST = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize(
    ("method", "batch_size", "settings", "dtype", "expected"),
    [
        ("pix2pix", 1, {}, torch.float32, FIRST),
        ("pix2pix", 1, {}, torch.bfloat16, LAST),
        ("pix2pix", 64, {}, torch.float32, LAST),
        ("pix2pix", 1, {"compile": "on"}, torch.float32, LAST),
        ("cyclegan", 64, {}, torch.bfloat16, FIRST),  # instance norms, which a compiler makes quick
        ("cyclegan", 1, {"compile": "on"}, torch.bfloat16, LAST),
        ("dcgan", 64, {"channels": 3}, torch.float32, LAST),
    ],
)
def test_images_lie_in_memory_as_is_quickest_on_a_cpu(
    method: str,
    batch_size: int,
    settings: dict[str, Any],
    dtype: torch.dtype,
    expected: torch.memory_format,
) -> None:
    recipe = find_method(method)
    c = recipe.config_class()(**{"compile": "off", "batch_size": batch_size, "ngf": 4, "ndf": 4, **settings})
    trainer = recipe.load_task().trainer(c)
    assert memory_format(trainer, c, Precision(torch.device("cpu"), dtype)) is expected


def test_a_gpu_always_has_channels_last() -> None:
    recipe = find_method("cyclegan")
    c = recipe.config_class()(compile="off", ngf=4, ndf=4)
    trainer = recipe.load_task().trainer(c)
    assert memory_format(trainer, c, Precision(torch.device("cuda"), torch.float32)) is LAST
