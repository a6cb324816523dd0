"""A run that is killed, stopped by a signal or by a full disk resumes as if it had not been interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from tests.integration import warm
from tests.integration.conftest import TINY, TINY_TRANSLATION, Command, command, environment

STEPS = "12"
# The image pool is small, so that it is full and returns stored images within these few steps.
FLAGS = {
    "pix2pix": TINY_TRANSLATION,
    "cyclegan": [*TINY_TRANSLATION, "--pool-size", "3"],
    "colorize": TINY_TRANSLATION,
    "inpaint": [*TINY_TRANSLATION, "--lambda-gan", "0.1"],
    "dcgan": [*TINY, "--flip", "--diffaugment"],
    "wgan-gp": [*TINY, "--spectral"],
}


def train(recipe: str, out: str, *more: str) -> list[str]:
    flags = ["--data", "data", "--steps", STEPS, "--checkpoint-every", "4", "--deterministic"]
    return ["train", recipe, "--out", out, *flags, *FLAGS[recipe], *more]


def newest_step(run: Path) -> int:
    steps = [int(p.stem.removeprefix("step-")) for p in run.glob("checkpoints/step-*.safetensors")]
    return max(steps, default=0)


def start(arguments: list[str], folder: Path, step: int) -> BaseProcess:
    """Start a training, and wait until it has a checkpoint of `step`."""
    process = warm.start(arguments, folder, environment(), (folder / "out", folder / "err"))
    run = folder / arguments[arguments.index("--out") + 1]
    while newest_step(run) < step and process.is_alive():
        time.sleep(0.01)
    return process


def wait_for_message(text: str, process: BaseProcess, folder: Path) -> None:
    """Wait until a process has logged a text."""
    log = folder / "err"
    while process.is_alive() and not (log.exists() and text in log.read_text()):
        time.sleep(0.001)


def run_until(arguments: list[str], folder: Path, step: int, number: signal.Signals) -> int | None:
    """Start a training, and send it a signal once it has a checkpoint of `step`; return its exit code."""
    process = start(arguments, folder, step)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize(("recipe", "workers"), [("pix2pix", "0"), *((recipe, "2") for recipe in FLAGS)])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one_bitwise(
    recipe: str, workers: str, translate: Command, data: Path, tmp_path: Path
) -> None:
    translate(*train(recipe, "uninterrupted", "--workers", workers))
    code = run_until(train(recipe, "killed", "--workers", workers), tmp_path, 4, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert 4 <= newest_step(tmp_path / "killed") < 12
    result = translate("train", recipe, "--out", "killed", "--resume")
    assert "resuming killed from step" in result.stderr
    name = "checkpoints/step-00000012.safetensors"
    expected, resumed = (load_file(tmp_path / run / name) for run in ("uninterrupted", "killed"))
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not expected[key].equal(resumed[key])] == []


def test_a_killed_worker_process_is_an_error_in_one_line_and_the_run_resumes(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    arguments = [*train("pix2pix", "run", "--cache-size", "0", "--workers", "2"), "--steps", "100000"]
    process = start(arguments, tmp_path, 4)
    workers = psutil.Process(process.pid).children()
    workers[0].kill()
    process.join(60)
    assert process.exitcode == 1
    *_, last = (tmp_path / "err").read_text().splitlines()
    assert last.startswith("error: ")
    assert "memory" in last
    assert last.endswith("--resume and --workers 1")
    steps = str(newest_step(tmp_path / "run") + 1)
    arguments = ["train", "pix2pix", "--out", "run", "--resume", "--workers", "1", "--steps", steps]
    assert "resuming run from step" in translate(*arguments).stderr


def test_a_run_saves_its_steps_before_it_fails_to_load_an_image(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    images = shutil.copytree(data, tmp_path / "images")
    arguments = [*train("pix2pix", "run", "--cache-size", "0", "--workers", "0"), "--data", "images"]
    process = start([*arguments, "--steps", "100000", "--checkpoint-every", "7"], tmp_path, 7)
    for path in (images / "trainA").iterdir():
        path.unlink()
    process.join(60)
    assert process.exitcode == 1
    *_, saved, error = (tmp_path / "err").read_text().splitlines()
    assert saved == f"saved at step {newest_step(tmp_path / 'run')}"
    assert "No such file" in error


def test_a_run_continues_after_a_validation_that_fails(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    images = shutil.copytree(data, tmp_path / "images")
    arguments = [*train("pix2pix", "run", "--workers", "0"), "--data", "images"]
    process = start([*arguments, "--steps", "100000"], tmp_path, 4)
    for path in (images / "testA").iterdir():
        path.unlink()
    wait_for_message("not validated", process, tmp_path)
    assert process.pid is not None
    assert process.is_alive()
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 143
    assert newest_step(tmp_path / "run") > 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_step_exits_with_its_code(
    number: signal.Signals, code: int, data: Path, tmp_path: Path
) -> None:
    process = warm.start(
        train("pix2pix", "run"), tmp_path, environment(), (tmp_path / "out", tmp_path / "err")
    )
    wait_for_message("checking the dataset", process, tmp_path)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == code


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_the_run_and_the_message_tells_how_to_resume(
    number: signal.Signals, code: int, translate: Command, data: Path, tmp_path: Path
) -> None:
    arguments = [*train("pix2pix", "run"), "--steps", "100000"]
    assert run_until(arguments, tmp_path, 4, number) == code
    step = newest_step(tmp_path / "run")
    assert step >= 4
    resume = "translate train pix2pix --out run --resume"
    assert resume in (tmp_path / "err").read_text()
    result = translate(*resume.split()[1:], "--steps", str(step + 1))
    assert f"resuming run from step {step}" in result.stderr


def test_a_finished_run_says_how_to_train_longer(translate: Command, data: Path) -> None:
    first = translate("train", "pix2pix", "--data", "data", "--steps", "1", *TINY_TRANSLATION)
    result = translate("train", "pix2pix", "--resume")
    assert "ended at step 1 already:" in result.stderr
    assert "--steps" in result.stderr
    # The hint to a setting that resuming cannot change is for new runs.
    assert "--small-data" in first.stderr
    assert "--small-data" not in result.stderr


def test_resume_without_a_checkpoint_starts_a_new_run_and_says_so(translate: Command, data: Path) -> None:
    result = translate("train", "pix2pix", "--data", "data", "--steps", "1", *TINY_TRANSLATION, "--resume")
    assert "runs/pix2pix is no run yet: starting a new run there" in result.stderr


def test_a_run_is_neither_overwritten_unasked_nor_resumed_with_other_settings(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    first = ["train", "pix2pix", "--data", "data", "--steps", "1", *TINY_TRANSLATION]
    translate(*first)
    assert "--resume" in translate(*first, code=2).stderr
    changed = translate("train", "pix2pix", "--resume", "--ngf", "8", code=2).stderr
    assert "ngf is 8, but 4" in changed
    assert "leave --ngf out" in changed
    other = translate("train", "cyclegan", "--resume", "--out", "runs/pix2pix", code=2).stderr
    assert "is a run of pix2pix, not of cyclegan" in other
    translate(*first, "--overwrite")
    shutil.rmtree(tmp_path / "runs" / "pix2pix" / "checkpoints")
    lost = translate("train", "pix2pix", "--resume", code=2).stderr
    assert "no checkpoint" in lost
    assert "--overwrite" in lost
    assert (tmp_path / "runs" / "pix2pix" / "model" / "config.json").is_file()


def test_a_run_does_not_resume_with_another_dataset(translate: Command, data: Path) -> None:
    translate("train", "pix2pix", "--data", "data", "--steps", "1", *TINY_TRANSLATION)
    (data / "trainA" / "0000.png").unlink()
    error = translate("train", "pix2pix", "--resume", "--steps", "2", code=1).stderr
    assert "runs/pix2pix" in error
    assert "28 files" in error
    assert "26 files" in error, "the other image of the pair is left out as well"


def test_a_full_disk_at_a_checkpoint_leaves_the_earlier_one_intact(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    translate("train", "pix2pix", "--data", "data", "--steps", "1", "--out", "run", *TINY_TRANSLATION)
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000001.safetensors"
    before, limit = checkpoint.read_bytes(), checkpoint.stat().st_size // 2
    resource = pytest.importorskip("resource")  # Windows does not have it.

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = ["train", "pix2pix", "--out", "run", "--resume", "--steps", "2"]
    options = {"cwd": tmp_path, "env": environment(), "text": True, "preexec_fn": small_disk}
    result = subprocess.run(command(*arguments), capture_output=True, check=False, **options)
    assert result.returncode == 1
    assert "cannot write the checkpoint" in result.stderr
    assert "--resume" in result.stderr
    assert checkpoint.read_bytes() == before
    assert [p.name for p in checkpoint.parent.iterdir()] == [checkpoint.name]
    translate(*arguments)


MEASURE_MEMORY = """
import sys
import psutil
from translate.training.session import Session
from translate.training.step.stepper import Stepper

memory, original = {}, Stepper.step

def measure(self, batch, *, steps_done, **progress):
    memory[steps_done] = psutil.Process().memory_info().rss
    return original(self, batch, steps_done=steps_done, **progress)

Stepper.step = measure
small = dict(image_size=64, ngf=8, ndf=8, batch_size=4, workers=0, device="cpu", steps=201)
if sys.argv[1] == "cyclegan":
    small |= dict(blocks=1, pool_size=8)
assert Session(sys.argv[1], dict(small, data="data", out="run")).train()
print(memory[50], memory[200])
"""


@pytest.mark.parametrize(
    "recipe", ["pix2pix", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cyclegan", "wgan-gp"))]
)
def test_training_does_not_leak_memory(recipe: str, data: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", MEASURE_MEMORY, recipe],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    early, late = map(int, result.stdout.split())
    assert late < 1.02 * early


def test_a_run_with_labels_resumes_after_its_data_was_moved(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    images = sorted(path.name for path in (data / "trainA").iterdir())
    (data / "trainA" / "labels.csv").write_text("".join(f"{n},{i % 2}\n" for i, n in enumerate(images)))
    train = ["train", "cgan", "--steps", "1", "--image-size", "16", "--channels", "3", *TINY[2:]]
    translate(*train, "--data", "data/trainA", "--labels", "data/trainA/labels.csv")
    data.rename(tmp_path / "moved")
    moved = ["--data", "moved/trainA", "--labels", "moved/trainA/labels.csv"]
    result = translate("train", "cgan", "--resume", "--steps", "2", *moved)
    assert "resuming runs/cgan from step 1" in result.stderr
