"""Several processes on GPUs, joined by nccl."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from tests.integration.test_processes import compare_two_processes_with_one
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.training.step import reducer
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix"])
def test_two_gpus_train_the_weights_of_one_with_twice_the_batch_size(
    method: str, gpu: str, tmp_path: Path
) -> None:
    if gpu != "cpu" and torch.cuda.device_count() < 2:
        pytest.skip("it needs two GPUs")
    compare_two_processes_with_one(method, tmp_path, gpu)


class HalfGroup(ProcessGroup):
    """One of two processes, the other of which has gradients of 0; `sent` counts the buckets it has sent."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.sent = 2, 0

    def start_all_reduce(self, tensor: Tensor) -> Callable[[], None]:
        self.sent += 1
        return super().start_all_reduce(tensor)

    def all_gather(self, value: Any) -> list[Any]:
        return [value]


@pytest.fixture
def half_group(gpu: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HalfGroup]:
    """Connect one process with itself; sums over all processes are then its own values."""
    monkeypatch.setattr(reducer, "BUCKET_SIZE", 1000)
    on_gpu = gpu != "cpu"
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=dist.HashStore(),
        rank=0,
        world_size=1,
        device_id=torch.device("cuda", 0) if on_gpu else None,
    )
    yield HalfGroup()
    dist.destroy_process_group()


def test_gradients_sent_during_the_backward_pass_give_the_same_weights(
    gpu: str, half_group: HalfGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    c = Pix2PixConfig(image_size=64, ngf=8, ndf=8, device=gpu, precision="fp32", dropout=False, compile="off")
    torch.manual_seed(0)
    trainer, weights = Pix2Pix(c), []
    for overlaps in (True, False):
        stepper = Stepper(copy.deepcopy(trainer), c, half_group)
        stepper.update.overlaps = overlaps
        random = torch.Generator().manual_seed(0)
        for step in range(5):
            images = torch.randint(256, (2, 1, 3, 64, 64), dtype=torch.uint8, generator=random)
            half_group.sent = 0
            stepper.step({"a": images[0], "b": images[1]}, steps_done=step)
            assert half_group.sent > 2
        weights.append(dict(stepper.trainer.named_parameters()))
    for name, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][name], rtol=0, atol=1e-6)
