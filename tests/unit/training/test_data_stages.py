"""A task may change the settings of its dataset during a run, as progressive growing does."""

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

SIZES: list[tuple[int, int]] = []  # Batch size and image size of each step.


def settings_at(c: ImageTrainConfig, progress: StepProgress) -> Mapping[str, Any]:
    """Return small images and large batches for the first half of a run."""
    return {"image_size": 16, "batch_size": 4} if progress.fraction < 0.5 else {}


class RecordingTrainer(TASK.trainer):  # type: ignore[misc, name-defined]
    def step(self, batch: dict[str, torch.Tensor], *rest: Any) -> dict[str, torch.Tensor]:
        if batch["a"].device.type == "cpu":  # The memory estimate runs on the meta device.
            SIZES.append((len(batch["a"]), batch["a"].shape[-1]))
        losses: dict[str, torch.Tensor] = super().step(batch, *rest)
        return losses


GROWING = dataclasses.replace(TASK, trainer=RecordingTrainer, settings_at=settings_at)


@pytest.fixture(autouse=True)
def growing_method(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the method `growing`; afterwards undo `deterministic`, which is a setting of the process."""
    config = "translate.methods.cyclegan.config:CycleGANConfig"
    monkeypatch.setitem(METHODS, "growing", Method("growing", config, f"{__name__}:GROWING"))
    SIZES.clear()
    yield
    torch.use_deterministic_algorithms(False)


def train(data: Path, out: Path, **settings: Any) -> None:
    small = {"image_size": 32, "ngf": 4, "ndf": 4, "blocks": 1, "d_layers": 1, "batch_size": 2, "steps": 6}
    small |= {"workers": 0, "device": "cpu", "deterministic": True, "checkpoint_every": 1, "pool_size": 3}
    translate.train("growing", data=str(data), out=str(out), keep_checkpoints=9, **small, **settings)


def test_image_and_batch_size_change_during_a_run_which_resumes_at_any_step(tmp_path: Path) -> None:
    data, uninterrupted, resumed = demo(tmp_path / "data"), tmp_path / "uninterrupted", tmp_path / "resumed"
    train(data, uninterrupted)
    assert SIZES == 3 * [(4, 16)] + 3 * [(2, 32)]
    train(data, resumed)
    for last in (4, 2):  # Remove later checkpoints, as if the run had been killed after this step.
        for step in range(last + 1, 7):
            (resumed / "checkpoints" / f"step-{step:08d}.safetensors").unlink()
        translate.train("growing", out=str(resumed), resume=True)
        name = "checkpoints/step-00000006.safetensors"
        expected, tensors = load_file(uninterrupted / name), load_file(resumed / name)
        assert tensors.keys() == expected.keys()
        assert [key for key, value in expected.items() if not value.equal(tensors[key])] == []
