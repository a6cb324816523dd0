"""pix2pix with --align: a registration network that trains beside the generator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import translate
from tests.images import demo
from tests.updates import plain_updates
from translate.errors import UsageError
from translate.images import read_rgb
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.pix2pix.trainer import Pix2Pix
from translate.methods.trainer import StepProgress
from translate.networks.registration import warp
from translate.training.runs import checkpoint

TINY: dict[str, Any] = {"image_size": 32, "ngf": 4, "ndf": 4, "d_layers": 2, "device": "cpu"}


def train(data: Path, out: Path, **settings: Any) -> None:
    translate.train(
        "pix2pix", data=str(data), out=str(out), align=True, batch_size=2, workers=0, **TINY, **settings
    )


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
    train(data, tmp_path / "uninterrupted", steps=2, checkpoint_every=1, **settings)
    name = "checkpoints/step-00000002.safetensors"
    shutil.copytree(tmp_path / "uninterrupted", tmp_path / "resumed")
    (tmp_path / "resumed" / name).unlink()
    translate.train("pix2pix", out=str(tmp_path / "resumed"), resume=True)
    expected, resumed = (checkpoint.load(tmp_path / run / name) for run in ("uninterrupted", "resumed"))
    assert "r.displacements.0.weight" in expected["trainer"]
    assert [n for n, x in expected["trainer"].items() if not x.equal(resumed["trainer"][n])] == []
    model = load_file(tmp_path / "resumed" / "model" / "model.safetensors")
    assert not any("displacement" in name for name in model)
    records = map(json.loads, (tmp_path / "uninterrupted" / "metrics.jsonl").read_text().splitlines())
    scores = [record for record in records if "val_l1" in record][-1]
    assert {"val_l1", "val_psnr", "val_l1_unaligned", "val_psnr_unaligned"} <= scores.keys()
    sheet = read_rgb(tmp_path / "uninterrupted" / "samples" / "step-00000002.png")
    # Input, translated, warped and truth, each 128 px wide with a margin of 4.
    assert sheet.shape[1] == 4 + 4 * 132


def test_the_registration_network_learns_where_targets_lie_that_look_unlike_their_inputs() -> None:
    torch.manual_seed(0)
    trainer = Pix2Pix(Pix2PixConfig(align=True, **TINY))
    inputs = F.interpolate(torch.rand(4, 1, 8, 8) * 2 - 1, (32, 32), mode="bicubic").expand(-1, 3, -1, -1)
    shifts = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    # The red is inverted, the green is fainter, and there is no blue.
    colors = torch.tensor([-1.0, 0.5, 0.0])[:, None, None]
    targets = warp(inputs * colors, shifts[:, :, None, None].expand(-1, -1, 32, 32))
    for _ in range(30):
        field, _ = trainer.register(plain_updates(trainer), StepProgress(), inputs, targets, inputs)
    assert not field.requires_grad
    assert (field.mean(dim=(2, 3)) - shifts).norm(dim=1).mean() < 1


def test_translations_are_compared_after_they_are_warped_onto_their_targets() -> None:
    trainer = Pix2Pix(Pix2PixConfig(align=True, **TINY))
    a, b = torch.rand(2, 1, 3, 32, 32) * 2 - 1
    trainer.g.forward = lambda x: x.clone().requires_grad_()  # type: ignore[method-assign]
    losses = trainer.step({"a": a, "b": a}, plain_updates(trainer), StepProgress())
    assert losses["l1"] == 0
    shift = torch.full((1, 2, 32, 32), 3.0)
    trainer.r.forward = lambda image, target: shift.clone().requires_grad_()  # type: ignore[method-assign]
    losses = trainer.step({"a": a, "b": warp(a, shift)}, plain_updates(trainer), StepProgress())
    assert losses["l1"] < 1e-4
    assert trainer.step({"a": a, "b": b}, plain_updates(trainer), StepProgress())["l1"] > 0


def test_the_discriminator_sees_aligned_pairs_without_what_the_warp_does_not_know() -> None:
    trainer, seen = Pix2Pix(Pix2PixConfig(align=True, **TINY)), []
    trainer.d.register_forward_pre_hook(lambda d, args: seen.append(args[0].detach()))
    shift = torch.zeros(1, 2, 32, 32)
    shift[:, 0] = 2.75
    trainer.r.forward = lambda image, target: shift.clone().requires_grad_()  # type: ignore[method-assign]
    trainer.g.forward = lambda x: x.clone().requires_grad_()  # type: ignore[method-assign]
    a = torch.rand(1, 3, 32, 1).expand(-1, -1, -1, 32) * 2 - 1  # Rows, which the shift does not change.
    trainer.step({"a": a, "b": warp(a, shift)}, plain_updates(trainer), StepProgress())
    known = a.clone()
    known[..., :3] = 0  # Of the pixels on the left, the target has none.
    for pair in seen:  # The real pair and the generated one.
        torch.testing.assert_close(pair, torch.cat([a, known], dim=1))
    assert len(seen) == 3


def test_the_translation_refines_the_registration_late_in_a_run() -> None:
    trainer = Pix2Pix(Pix2PixConfig(align=True, **TINY))
    a, b, fake = torch.rand(3, 1, 3, 32, 32)
    # The displacements of the input are 1 pixel, and the translation needs 2 pixels more.
    trainer.r.forward = lambda image, target: torch.full(  # type: ignore[method-assign]
        (1, 2, 32, 32), 1.0 if image is a else 2.0, requires_grad=True
    )
    for fraction, displacement in ((0.0, 1.0), (0.5, 1.5), (1.0, 2.0)):
        progress = StepProgress(fraction_tensor=torch.tensor(fraction))
        field, _ = trainer.register(plain_updates(trainer), progress, a, b, fake)
        torch.testing.assert_close(field, torch.full((1, 2, 32, 32), displacement))


def test_the_weight_of_the_smoothness_needs_align() -> None:
    with pytest.raises(UsageError, match=r"lambda_smooth 5 .*--align"):
        Pix2PixConfig(lambda_smooth=5)
