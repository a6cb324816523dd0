"""Fixtures for the tests on a GPU: datasets, and what the CPU lacks or cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.images import demo
from tests.integration.conftest import Command, within  # noqa: F401
from translate.inference.runtime.runner import Runner
from translate.models import Precision
from translate.training.step.stepper import Stepper


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Share one cache folder among all commands, so that decoded images and compiled programs are in it."""
    from tests.integration.conftest import SHARED

    folder = tmp_path_factory.mktemp("gpu-cache")
    SHARED["TRANSLATE_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the built-in dataset, 64 training images of 64 x 64 pixels."""
    return demo(tmp_path_factory.mktemp("gpu-data") / "data", train=64, test=2, size=64)


@pytest.fixture
def cuda(gpu: str) -> str:
    """Return the GPU; skip the test where the CPU stands in for it."""
    if gpu == "cpu":
        pytest.skip("it needs CUDA itself, for which the CPU cannot stand in")
    return gpu


@pytest.fixture
def half_precision(gpu: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of half precision with loss scaling, which a CPU refuses except here."""
    if gpu == "cpu":
        half = Precision(torch.device("cpu"), torch.float16)
        monkeypatch.setattr("translate.training.step.stepper.pick_precision", lambda name, device: half)
    return "fp16"


@pytest.fixture
def little_memory(gpu: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the weights of a small network fit into memory, but no step of many images, and no large image."""
    if gpu == "cpu":

        def fail(self: Stepper, batch: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        def forward(self: Runner, x: torch.Tensor, **options: Any) -> torch.Tensor:
            if x.numel() > 2**20:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run(self, x, **options)

        run = Runner.forward
        monkeypatch.setattr(Stepper, "run", fail)
        monkeypatch.setattr(Runner, "forward", forward)
        yield
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(gpu).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(gpu) + 2**25) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.fixture
def undo_deterministic() -> Iterator[None]:
    """Undo `--deterministic` after a test, because it is a setting of the process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    """Forget what other tests have compiled."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
