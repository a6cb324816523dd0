"""Compiled training on a GPU, and its fallback to eager mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.integration.conftest import Command
from tests.unit.training.test_compile_fallback import COMPILE, fail_in_backward, fail_to_compile, train
from translate.training import break_even

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.usefixtures("fresh_dynamo"),
    # Dynamo itself reads .grad.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]


@pytest.mark.parametrize("backend", [fail_to_compile, fail_in_backward])
def test_a_step_that_fails_to_compile_is_repeated_in_eager_mode(
    backend: Any, gpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager, lines = train("dcgan", steps=8, compile="off", device=gpu)
    assert lines == []
    monkeypatch.setattr(
        torch, "compile", lambda function, **settings: COMPILE(function, backend=backend, **settings)
    )
    compiled, lines = train("dcgan", steps=8, compile="on", device=gpu)
    (line,) = lines
    assert "torch.compile" in line
    assert "512==512" in line
    for name, value in compiled.items():
        torch.testing.assert_close(value, eager[name], rtol=1e-3, atol=1e-3)


FLAGS = {
    "dcgan": [],  # With its own settings; its compiled backward pass failed with torch 2.11.
    "biggan": ["--attention", "16", "--ngf", "16", "--ndf", "16"],
    "wgan-gp": [],  # The gradient of its penalty runs in eager mode.
    "cyclegan": ["--ngf", "16", "--ndf", "16", "--blocks", "3", "--batch-size", "2"],
}


@pytest.mark.parametrize("name", FLAGS)
def test_a_compiled_run_trains(name: str, cuda: str, within: Command, data: Path) -> None:
    flags = ["--data", str(data), "--image-size", "64", "--steps", "12", *FLAGS[name]]
    log = within("train", name, *flags, "--device", cuda, "--compile", "on").stderr
    assert "compiled (the first steps take" in log
    assert "torch.compile failed" not in log
    assert "no CUDA graph" not in log
    assert "checkpoint at step 12" in log


@pytest.mark.parametrize("pays", [True, False])
def test_compiling_is_decided_during_the_run(
    pays: bool, cuda: str, within: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pays_off(trainer: nn.Module, seconds_left: float) -> tuple[bool, str]:
        return pays, "the decision"

    monkeypatch.setattr(break_even, "MEASURED_SECONDS", 0.0)
    monkeypatch.setattr(break_even, "pays_off", pays_off)
    flags = ["--data", str(data), "--image-size", "64", "--steps", "40", "--device", cuda]
    log = within("train", "dcgan", *flags).stderr
    assert log.count("the decision") == 1
    assert "torch.compile failed" not in log
    assert "no CUDA graph" not in log
    assert "checkpoint at step 40" in log
