"""Training on little data: what a discriminator sees is augmented, and a preset makes it narrow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

import translate
from tests.images import demo
from tests.unit.methods.test_steps import METHODS, batch, new
from tests.updates import Updates
from translate.errors import UsageError
from translate.methods.adversary import Adversary
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer
from translate.networks import augmentation
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.session import Session
from translate.training.step.stepper import Stepper

pytestmark = pytest.mark.usefixtures("torch_engine_only")
TINY: dict[str, Any] = {
    "image_size": 32,
    "ngf": 4,
    "ndf": 4,
    "batch_size": 2,
    "blocks": 1,
    "d_layers": 2,
    "workers": 0,
    "cache_size": 0,
    "device": "cpu",
}


WITHOUT_NDF = {name: value for name, value in TINY.items() if name != "ndf"}


def train(recipe: str, data: Path, out: Path, **settings: Any) -> Run:
    translate.train(recipe, data=str(data), out=str(out), **{**TINY, **settings})
    return Run(out)


def resolved(run: Run) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(run.config.read_text())
    return settings


def inputs_of_discriminators(trainer: Trainer) -> list[Tensor]:
    """Take a step; return all images that the discriminators saw, real and generated ones."""
    inputs: list[Tensor] = []
    for adversary in {id(a.d): a for a in vars(trainer).values() if isinstance(a, Adversary)}.values():
        adversary.d.register_forward_pre_hook(lambda d, args: inputs.append(args[0]))
    trainer.step(batch(), Updates(lambda name, loss, step: None), StepProgress())
    return inputs


@pytest.mark.parametrize("method", METHODS)
def test_all_that_a_discriminator_sees_is_augmented(method: str) -> None:
    """Cutout leaves a square of zeros in the image, and in its condition, if there is one."""

    def holes(inputs: list[Tensor]) -> list[float]:
        return [(image == 0).all(dim=0).float().mean().item() for images in inputs for image in images]

    with_augmentation, without = (
        holes(inputs_of_discriminators(new(method, diffaugment=on))) for on in (True, False)
    )
    assert len(with_augmentation) == len(without) >= 6  # Real, generated, and generated again, of two images.
    assert min(with_augmentation) > 0.05
    assert max(without) < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_adaptive_augmentation_rises_if_the_discriminator_knows_the_real_images(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmentation, "INTERVAL", 2)
    for offset, expected in ((-100.0, 0.0), (100.0, 0.5)):
        trainer = new(method, ada=True, gan_loss="hinge")
        names = [name for name in trainer.networks if name.startswith("d")]
        for name in names:
            last = [weight for weight in getattr(trainer, name).parameters() if weight.ndim == 1][-1]
            torch.nn.init.constant_(last, offset)
        progress = StepProgress(fraction_tensor=torch.tensor(0.05))
        losses = trainer.step(batch(), Updates(lambda name, loss, step: None), progress)
        assert all(name.startswith("ada_p") for name in list(losses)[-len(names) :])  # After all losses.
        values = [loss.item() for name, loss in losses.items() if name.startswith("ada_p")]
        assert values == pytest.approx([expected] * len(names))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_all_microbatches_of_a_step_have_one_probability_which_adapts_after_the_last(
    accumulate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmentation, "INTERVAL", 2)
    trainer = new("pix2pix", ada=True, gan_loss="hinge", batch_size=4, accumulate=accumulate)
    score = torch.tensor(100.0)
    last = trainer.d.body[-1]
    last.register_forward_hook(lambda layer, inputs, scores: scores * 0 + score)
    probabilities: list[float] = []
    trainer.augment.register_forward_hook(lambda layer, *_: probabilities.append(layer.p.item()))
    trainer.c.device = "cpu"
    stepper = Stepper(trainer, trainer.c)
    images = {name: ((image + 1) * 127.5).to(torch.uint8) for name, image in batch(4).items()}
    assert stepper.step(images, fraction=0.05)["ada_p"].item() == pytest.approx(0.5)
    assert set(probabilities) == {0}
    probabilities.clear()
    score.fill_(-100)
    assert stepper.step(images, fraction=0.07)["ada_p"].item() == pytest.approx(0.3)
    assert probabilities == [pytest.approx(0.5)] * 3 * accumulate


@pytest.fixture
def undo_deterministic() -> Iterator[None]:
    """Undo `deterministic` after a test, because it is a setting of the process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("undo_deterministic")
def test_a_resumed_run_continues_its_adaptive_augmentation_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmentation, "INTERVAL", 4)
    data = demo(tmp_path / "data")
    settings = {"ada": True, "ada_target": 0, "deterministic": True, "checkpoint_every": 5, "steps": 8}
    run = train("pix2pix", data, tmp_path / "run", norm="instance", levels=2, **settings)
    uninterrupted = checkpoint.load(run.checkpoint(8))["trainer"]
    half_way = checkpoint.load(run.checkpoint(5))["trainer"]
    run.checkpoint(8).unlink()
    translate.train("pix2pix", out=str(run.folder), resume=True)
    resumed = checkpoint.load(run.checkpoint(8))["trainer"]
    assert [name for name, value in uninterrupted.items() if not value.equal(resumed[name])] == []
    assert 0 < half_way["augment.fraction"] < resumed["augment.fraction"]  # It has adapted in between.


def test_the_probability_is_in_the_progress_line_and_in_the_metrics(tmp_path: Path) -> None:
    run = train("cyclegan", demo(tmp_path / "data"), tmp_path / "run", steps=1, ada=True)
    records = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert records[0]["ada_p_a"] == records[0]["ada_p_b"] == 0
    assert "ada_p_a 0.000  ada_p_b 0.000" in run.log.read_text()


# The preset


def test_the_preset_is_in_the_settings_of_the_run_which_resuming_keeps(tmp_path: Path) -> None:
    data, run = demo(tmp_path / "data"), Run(tmp_path / "run")
    translate.train("pix2pix", data=str(data), out=str(run.folder), small_data=True, steps=1, **WITHOUT_NDF)
    assert "small_data sets ndf 16" in run.log.read_text()
    assert resolved(run)["small_data"]
    assert resolved(run)["ndf"] == 16
    translate.train("pix2pix", out=str(run.folder), resume=True, steps=2)
    assert resolved(run)["ndf"] == 16


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 64),
        ({"small_data": True}, 16),
        ({"small_data": "off"}, 64),
        ({"small_data": True, "ndf": 32}, 32),
        ({"small_data": True, "diffaugment": True}, 16),
    ],
)
def test_settings_that_are_given_win_over_the_preset(
    given: dict[str, Any], expected: int, tmp_path: Path
) -> None:
    settings = {**WITHOUT_NDF, "data": str(demo(tmp_path / "data")), "out": "none"}
    session = Session("pix2pix", {**settings, **given})
    assert session.config.ndf == expected
    assert session.config.diffaugment == given.get("diffaugment", False)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("cyclegan", {"ada": True, "diffaugment": True}, "ada and diffaugment"),
        ("cyclegan", {"ada": True, "gan_loss": "wgan-gp"}, "wgan-gp.*--diffaugment"),
        ("colorize", {"small_data": True}, "small_data .*lambda_gan 0.*--lambda-gan"),
        ("inpaint", {"ada": True}, "ada .*lambda_gan 0.*--lambda-gan"),
    ],
)
def test_what_cannot_augment_a_discriminator_is_refused(
    method: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        find_method(method).config_class()(**settings)


@pytest.mark.parametrize(
    ("method", "settings", "note"),
    [
        ("cyclegan", {}, "12 images of A and 12 images of B to train on.*--small-data"),
        ("pix2pix", {}, "12 pairs to train on.*--small-data"),
        ("inpaint", {"lambda_gan": 0.1}, "24 photos to train on.*--small-data"),
        ("inpaint", {}, ""),  # There is no discriminator.
        ("cyclegan", {"small_data": True}, ""),
        ("cyclegan", {"ada": True}, ""),
    ],
)
def test_the_log_suggests_the_preset_for_few_images(
    method: str, settings: dict[str, Any], note: str, tmp_path: Path
) -> None:
    session = Session(method, {**TINY, "data": str(demo(tmp_path / "data")), "out": "none", **settings})
    lines = [line for line in session.describe().splitlines() if "to train on" in line]
    assert len(lines) == bool(note)
    assert re.match(note, "".join(lines))


def test_the_log_suggests_no_preset_for_many_images(tmp_path: Path) -> None:
    data = demo(tmp_path / "data", train=100, size=8)
    session = Session("pix2pix", {**TINY, "data": str(data), "out": "none"})
    assert "to train on" not in session.describe()


def test_one_image_of_a_domain_is_a_warning_of_its_own(tmp_path: Path) -> None:
    for path in sorted((demo(tmp_path / "data", test=2) / "trainA").iterdir())[1:]:
        path.unlink()
    for method in ("cyclegan", "cut", "fastcut", "dclgan"):
        c = find_method(method).config_class()(data=str(tmp_path / "data"), image_size=32)
        data = find_method(method).load_task().data(c)
        assert [
            line for line in data.notes if "1 image of A to train on, which the networks learn by" in line
        ]
        assert data.hints == []
