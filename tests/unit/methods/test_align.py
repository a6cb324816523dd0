"""pix2pix with --align: a registration network that trains beside the generator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo
from tests.updates import Updates
from translate.errors import UsageError
from translate.images import read_rgb
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.trainer import StepProgress
from translate.training.runs import checkpoint

TINY: dict[str, Any] = {"image_size": 32, "ngf": 4, "ndf": 4, "d_layers": 2, "device": "cpu"}


def train(data: Path, out: Path, **settings: Any) -> None:
    translate.train(
        "pix2pix", data=str(data), out=str(out), align=True, batch_size=2, workers=0, **TINY, **settings
    )


def test_validation_scores_translations_before_and_after_registration(tmp_path: Path) -> None:
    data, out = demo(tmp_path / "data"), tmp_path / "run"
    train(data, out, steps=30, lr=2e-3)
    records = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    (scores,) = (record for record in records if "val_l1" in record)
    assert scores["val_l1"] < scores["val_l1_unaligned"]
    assert {"val_psnr", "val_psnr_unaligned"} <= scores.keys()
    # Input, translated, warped and truth, each 128 px wide with a margin of 4.
    assert read_rgb(out / "samples" / "step-00000030.png").shape[1] == 4 + 4 * 132


@pytest.fixture
def undo_deterministic() -> Iterator[None]:
    """Undo `deterministic` after a test, because it is a setting of the process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("undo_deterministic")
def test_a_run_resumes_bitwise_with_the_registration_network_which_the_model_does_not_contain(
    tmp_path: Path,
) -> None:
    data, settings = demo(tmp_path / "data"), {"deterministic": True, "lr_schedule": "constant"}
    train(data, tmp_path / "uninterrupted", steps=4, **settings)
    train(data, tmp_path / "resumed", steps=2, **settings)
    translate.train("pix2pix", out=str(tmp_path / "resumed"), resume=True, steps=4)
    name = "checkpoints/step-00000004.safetensors"
    expected, resumed = (checkpoint.load(tmp_path / run / name) for run in ("uninterrupted", "resumed"))
    assert "r.displacement.0.weight" in expected["trainer"]
    assert [n for n, x in expected["trainer"].items() if not x.equal(resumed["trainer"][n])] == []
    model = load_file(tmp_path / "resumed" / "model" / "model.safetensors")
    assert not any("displacement" in name for name in model)


def test_the_discriminator_sees_no_input_whose_misalignment_would_betray_real_pairs() -> None:
    losses = []
    for a in (torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)):
        torch.manual_seed(0)
        trainer = Pix2Pix(Pix2PixConfig(align=True, lambda_l1=0, dropout=False, norm="none", **TINY))
        trainer.g.forward = lambda x: torch.zeros_like(x, requires_grad=True)  # type: ignore[method-assign]
        updates = Updates(lambda name, loss, step: None)
        losses.append(trainer.step({"a": a, "b": torch.ones(1, 3, 32, 32)}, updates, StepProgress())["d"])
    assert losses[0] == losses[1]


def test_the_weight_of_the_smoothness_needs_align() -> None:
    with pytest.raises(UsageError, match=r"lambda_smooth 5 .*--align"):
        Pix2PixConfig(lambda_smooth=5)
