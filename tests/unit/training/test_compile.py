"""When to compile, and the memory format that is fastest then."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.models import Precision
from translate.training.step.compile import (
    decides_later,
    describe_compilation,
    memory_format,
    pays_off,
    reason_against_compiling,
    should_compile,
)


def create_trainer(method: str, **settings: Any) -> tuple[Trainer, Any]:
    """Return a tiny trainer and its settings."""
    recipe = find_method(method)
    c = recipe.config_class()(**{"compile": "off", "ngf": 4, "ndf": 4, **settings})
    return recipe.load_task().trainer(c), c


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
    trainer, c = create_trainer(method, batch_size=batch_size, **settings)
    precision = Precision(torch.device("cpu"), dtype)
    assert memory_format(trainer, c, precision, compiled=c.compile == "on") is expected


@pytest.mark.parametrize(
    ("method", "device", "compiled", "expected"),
    [
        ("cyclegan", "cuda", False, torch.contiguous_format),  # Of instance norms.
        ("cyclegan", "cuda", True, torch.channels_last),
        ("pix2pix", "cuda", False, torch.channels_last),  # Of batch norms.
        ("pix2pix", "cuda", True, torch.channels_last),
        ("pix2pix", "mps", False, torch.contiguous_format),
        ("pix2pix", "mps", True, torch.contiguous_format),
    ],
)
def test_the_memory_format_on_a_gpu(
    method: str, device: str, compiled: bool, expected: torch.memory_format
) -> None:
    trainer, c = create_trainer(method)
    precision = Precision(torch.device(device), torch.float32)
    assert memory_format(trainer, c, precision, compiled=compiled) is expected


def test_compiling_pays_off_if_the_rest_of_the_run_is_long() -> None:
    trainer, _ = create_trainer("cyclegan")
    pays, line = pays_off(trainer, seconds_left=2400)
    assert pays
    assert "saves about 6 minutes of the remaining 40 minutes" in line
    pays, line = pays_off(trainer, seconds_left=100)
    assert not pays
    assert "not compiled" in line
    assert "15 seconds of the remaining 100 seconds" in line


def test_repeated_blocks_and_equal_networks_cost_nothing_to_compile() -> None:
    few, many = (pays_off(create_trainer("cyclegan", blocks=blocks)[0], 2400) for blocks in (1, 9))
    assert few == many


def test_the_length_of_a_run_is_no_reason_against_compiling_on_a_gpu() -> None:
    _, c = create_trainer("cyclegan", steps=10, compile="auto")
    assert "short" not in reason_against_compiling(c, torch.device("cuda"))
    assert not should_compile(c, torch.device("cuda"))  # It is decided by the speed of a step.


@pytest.mark.parametrize(
    ("method", "captured", "later"),
    [
        ("pix2pix", True, True),
        ("pix2pix", False, False),
        ("cyclegan", False, True),  # Eager instance norms are slow.
    ],
)
def test_without_a_graph_only_instance_norms_gain_by_compiling(
    method: str, captured: bool, later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.training.step.compile.reason_against_compiling", lambda c, device: "")
    trainer, c = create_trainer(method, compile="auto")
    gpu = torch.device("cuda")
    assert decides_later(c, trainer, gpu, captured=captured) == later
    assert ("without a CUDA graph" in describe_compilation(c, trainer, gpu, captured=captured)) != later
    assert not decides_later(c.replace(compile="off"), trainer, gpu, captured=captured)
