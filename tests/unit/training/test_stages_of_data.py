"""A task may change the settings of its data during a run, as progressive growing does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo
from translate.config import ImageTrainConfig
from translate.methods.cyclegan.task import TASK
from translate.methods.registry import METHODS, Method
from translate.methods.trainer import StepProgress

SIZES: list[tuple[int, int]] = []  # batch size and image size of each step


def settings_at(c: ImageTrainConfig, progress: StepProgress) -> Mapping[str, Any]:
    """Small images in large batches for the first half."""
    return {"image_size": 16, "batch_size": 4} if progress.fraction < 0.5 else {}


class Watched(TASK.trainer):  # type: ignore[misc, name-defined]
    def step(self, batch: dict[str, torch.Tensor], *rest: Any) -> dict[str, torch.Tensor]:
        if batch["a"].device.type == "cpu":  # not in the estimate of memory, which is on the meta device
            SIZES.append((len(batch["a"]), batch["a"].shape[-1]))
        losses: dict[str, torch.Tensor] = super().step(batch, *rest)
        return losses


GROWING = dataclasses.replace(TASK, trainer=Watched, settings_at=settings_at)


@pytest.fixture(autouse=True)
def method(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The method `growing`; `deterministic`, which holds for the process, is taken back."""
    config = "translate.methods.cyclegan.config:CycleGANConfig"
    monkeypatch.setitem(METHODS, "growing", Method("growing", config, f"{__name__}:GROWING"))
    SIZES.clear()
    yield
    torch.use_deterministic_algorithms(False)


def train(data: Path, out: Path, **settings: Any) -> None:
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "blocks": 1, "d_layers": 1, "batch_size": 2, "steps": 6}
    small |= {"workers": 0, "device": "cpu", "deterministic": True, "checkpoint_every": 1, "pool_size": 3}
    translate.train("growing", data=str(data), out=str(out), keep_checkpoints=9, **small, **settings)


def test_image_and_batch_size_follow_progress_and_a_run_resumes_in_any_stage(tmp_path: Path) -> None:
    data, whole, parts = demo(tmp_path / "data"), tmp_path / "whole", tmp_path / "parts"
    train(data, whole)
    assert SIZES == 3 * [(4, 16)] + 3 * [(2, 32)]
    train(data, parts)
    for last in (4, 2):  # as if it had been killed there
        for step in range(last + 1, 7):
            (parts / "checkpoints" / f"step-{step:08d}.safetensors").unlink()
        translate.train("growing", out=str(parts), resume=True)
        ends = [load_file(run / "checkpoints" / "step-00000006.safetensors") for run in (whole, parts)]
        assert ends[0].keys() == ends[1].keys()
        assert [name for name, value in ends[0].items() if not value.equal(ends[1][name])] == []
