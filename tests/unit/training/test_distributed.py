"""Which GPU each process of distributed training has."""

from __future__ import annotations

import pytest
import torch

from translate.errors import UsageError
from translate.models import pick_device
from translate.training.step.distributed import ProcessGroup


@pytest.fixture(autouse=True)
def _second_of_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for torchrun with two processes, and for a machine with GPUs."""
    variables = {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "h",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("auto_device")
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_more_processes_than_gpus_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="--nproc-per-node 1"):
        pick_device(name)


def test_two_processes_on_one_gpu_are_refused() -> None:
    with (
        pytest.raises(UsageError, match=r"--device cuda:0 .* 2 processes: use --device cuda"),
        ProcessGroup().connect(torch.device("cuda:0")),
    ):
        pass
