"""Runs on a GPU: resume, move to and from the CPU, half precision, too little memory, determinism."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import translate
from tests.gpu.steps import distance, moments, take_steps, weights
from tests.images import training_data
from tests.integration.conftest import TINY_TRANSLATION, Command
from tests.unit.methods.test_graph import new_stepper
from tests.unit.test_recipes import own_settings
from tests.unit.training.test_graph import DCGAN, images
from translate.methods.gan.trainer import GAN
from translate.methods.registry import METHODS
from translate.methods.trainer import StepProgress, Update
from translate.training.runs import checkpoint
from translate.training.step.stepper import Stepper

pytestmark = pytest.mark.gpu
TINY: dict[str, Any] = {"image_size": 32, "ngf": 8, "ndf": 8, "batch_size": 4, "workers": 0}
TRANSLATION = {**TINY, "blocks": 1, "d_layers": 2}


def train(name: str, out: Path, **settings: Any) -> Any:
    return translate.train(name, out=str(out), **settings)


def load_checkpoint(run: Path, step: int) -> checkpoint.State:
    return checkpoint.load(run / f"checkpoints/step-{step:08}.safetensors")


def trained_weights(state: checkpoint.State) -> dict[str, Tensor]:
    """Return the weights in the state of a checkpoint."""
    return {name: value.float() for name, value in state["trainer"].items() if value.is_floating_point()}


@pytest.mark.usefixtures("undo_deterministic")
@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(
    name: str, gpu: str, data: Path, tmp_path: Path
) -> None:
    settings = {"device": gpu, "precision": "fp32", "deterministic": True, "steps": 9}
    settings["data"] = str(training_data(name, data))
    small = own_settings(name, {**TRANSLATION, "fmap_base": 64})
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    train(name, whole, checkpoint_every=4, keep_checkpoints=9, **small, **settings)
    shutil.copytree(whole, resumed)
    for step in (8, 9):
        (resumed / f"checkpoints/step-{step:08}.safetensors").unlink()
    train(name, resumed, resume=True)
    expected, state = (load_checkpoint(run, 9) for run in (whole, resumed))
    assert distance(*(moments(s["optimizers"]) for s in (state, expected))) < 0.2
    start = trained_weights(load_checkpoint(whole, 4))
    assert distance(trained_weights(state), trained_weights(expected), start) < 0.5


def test_a_checkpoint_moves_from_the_cpu_to_the_gpu_and_back(gpu: str, data: Path, tmp_path: Path) -> None:
    settings = {**TRANSLATION, "data": str(data), "precision": "fp32", "lambda_l1": 10, "norm": "batch"}
    settings |= {"dropout": False, "generator": "unet", "checkpoint_every": 3, "keep_checkpoints": 9}
    for run, devices in (("stays", ("cpu",) * 3), ("moves", ("cpu", gpu, "cpu"))):
        for number, device in enumerate(devices, start=1):
            given = settings if number == 1 else {"resume": True}
            train("pix2pix", tmp_path / run, steps=3 * number, device=device, **given)
    stays, moves = (trained_weights(load_checkpoint(tmp_path / run, 9)) for run in ("stays", "moves"))
    assert distance(moves, stays, trained_weights(load_checkpoint(tmp_path / "stays", 3))) < 0.3
    log = (tmp_path / "moves" / "log.txt").read_text()
    assert log.count("resuming ") == 2


class OverflowingGAN(GAN):
    """A GAN whose discriminator has infinite gradients in one step."""

    overflows_at = 5

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        def scaled_update(name: str, loss: Tensor, **options: Any) -> None:
            is_normal = progress.step_tensor != self.overflows_at
            update(name, torch.where(is_normal, loss, loss * torch.inf) if name == "d" else loss, **options)

        return super().step(batch, scaled_update, progress)  # type: ignore[arg-type]


def test_float16_skips_a_step_with_infinite_gradients_and_lowers_the_loss_scale(
    gpu: str, half_precision: str
) -> None:
    c = DCGAN.replace(device=gpu, precision=half_precision, networks="mlp", d_norm="none")
    torch.manual_seed(0)
    lines: list[str] = []
    stepper = Stepper(OverflowingGAN(c), c, log=lines.append)

    def batch(step: int) -> dict[str, Tensor]:
        return {"image": images(step)}

    take_steps(stepper, batch, range(5))
    before, scale = weights(stepper), stepper.scaler.get_scale()
    take_steps(stepper, batch, range(5, 6))
    after = weights(stepper)
    assert stepper.scaler.get_scale() == scale / 2
    assert all(after[name].equal(value) for name, value in before.items() if name.startswith("d."))
    take_steps(stepper, batch, range(6, 10))
    assert all(value.isfinite().all() for value in weights(stepper).values())
    assert lines == []


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in ("pix2pix", "cyclegan", "dcgan", "wgan")),
        *((name, {"accumulate": 2}) for name in ("pix2pix", "cyclegan")),
        *((name, {"clip_grad": 0.1}) for name in ("pix2pix", "dcgan")),
    ],
)
def test_float16_trains_and_lowers_the_loss(
    name: str, settings: dict[str, Any], gpu: str, data: Path, half_precision: str
) -> None:
    settings = {"batch_size": 4, **settings, "device": gpu, "precision": half_precision}
    stepper, batch = new_stepper(name, data, settings)
    start = weights(stepper)
    history = take_steps(stepper, lambda step: batch(0), range(25))
    assert "fp16" in stepper.description
    assert all(value.isfinite().all() for value in weights(stepper).values())
    assert distance(start, weights(stepper), start) == pytest.approx(1)
    reconstruction = {"pix2pix": "l1", "cyclegan": "cycle_a"}.get(name)
    if reconstruction:
        assert history[-1][reconstruction] < 0.9 * history[0][reconstruction]


def test_float16_with_an_optimizer_that_is_not_fused_says_that_it_is_not_captured(
    cuda: str, data: Path
) -> None:
    stepper, _ = new_stepper("wgan", data, {"device": cuda, "precision": "fp16"})
    assert stepper.graph is None
    assert "no CUDA graph (float16 with an optimizer that is not fused)" in stepper.description


@pytest.mark.usefixtures("little_memory")
def test_a_step_that_does_not_fit_into_memory_names_the_remedies(
    gpu: str, within: Command, data: Path
) -> None:
    flags = ["--data", str(data), *TINY_TRANSLATION, "--image-size", "64", "--batch-size", "64"]
    flags += ["--ngf", "16", "--steps", "2", "--device", gpu]
    error = within("train", "pix2pix", *flags, code=1).stderr.splitlines()[-1]
    assert error.startswith(f"error: a training step does not fit into the memory of {gpu}")
    assert "--accumulate 64" in error
    assert "--recompute" in error


@pytest.mark.usefixtures("undo_deterministic")
def test_deterministic_cyclegan_names_each_operation_that_is_not_once(
    gpu: str, within: Command, data: Path
) -> None:
    flags = ["--data", str(data), *TINY_TRANSLATION, "--steps", "8", "--device", gpu, "--deterministic"]
    log = within("train", "cyclegan", *flags).stderr
    lines = [line for line in log.splitlines() if "--deterministic: " in line]
    assert len(set(lines)) == len(lines)
    assert all("--device cpu" in line for line in lines)


@pytest.mark.usefixtures("undo_deterministic")
def test_deterministic_runs_of_dcgan_reach_the_same_bits(gpu: str, data: Path, tmp_path: Path) -> None:
    settings = {**TINY, "data": str(data), "device": gpu, "steps": 8, "deterministic": True}
    for run in ("first", "second"):
        train("dcgan", tmp_path / run, **settings)
    first, second = (trained_weights(load_checkpoint(tmp_path / run, 8)) for run in ("first", "second"))
    assert [name for name, value in first.items() if not value.equal(second[name])] == []


@pytest.mark.usefixtures("auto_device")
def test_without_a_flag_a_run_uses_the_gpu_and_captures_its_steps(
    cuda: str, within: Command, data: Path
) -> None:
    flags = ["--data", str(data), "--image-size", "32", "--steps", "8"]
    log = within("train", "dcgan", *flags).stderr
    (line,) = [line for line in log.splitlines() if ", each step one CUDA graph" in line]
    assert line.lstrip().startswith(cuda)
    assert "no CUDA graph" not in log
