"""Distributed training and translation in several processes, as torchrun starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from tests.integration.conftest import TINY_TRANSLATION, command, environment, on_cpu
from tests.integration.test_resume import newest_step

STEPS, BATCH = 20, 2
SCRIPT = """
import sys
import torch
from safetensors.torch import save_file
from translate.models import pick_device
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.training.step import reducer
from translate.training.step.distributed import ProcessGroup
from translate.training.step.stepper import Stepper
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.pix2pix.trainer import Pix2Pix

method, steps, batch, out, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]
small = dict(ngf=4, ndf=4, image_size=64, device=device, precision="fp32", batch_size=batch, graph="off")
reducer.BUCKET_SIZE = 5000
group = ProcessGroup()

def train(steps, overlaps=None):
    torch.manual_seed(0)
    if method == "cyclegan":
        c = CycleGANConfig(**small, blocks=1, pool_size=0)
        trainer = CycleGAN(c)
    else:
        c = Pix2PixConfig(**small, dropout=False, sync_norm=True)
        trainer = Pix2Pix(c)
    stepper = Stepper(trainer.double(), c, group)
    if overlaps is not None:
        stepper.update.overlaps = overlaps
    random = torch.Generator().manual_seed(1)
    for number in range(steps):
        images = torch.rand(2, batch * group.size, 3, 64, 64, dtype=torch.float64, generator=random)
        a, b = images.chunk(group.size, dim=1)[group.rank]
        stepper.step({"a": a, "b": b}, steps_done=number)
    return trainer

with group.connect(pick_device(device)):
    trainer = train(steps)
    if group.size > 1 and method == "cyclegan":
        overlapped, separate = train(3, overlaps=True), train(3, overlaps=False)
        for weight, other in zip(overlapped.parameters(), separate.parameters(), strict=True):
            assert (weight - other).abs().max() <= (0 if device == "cpu" else 1e-8)
    if group.is_first:
        save_file({name: weight.contiguous() for name, weight in trainer.named_parameters()}, out)
        running = {name: value.contiguous() for name, value in trainer.named_buffers() if value.numel()}
        save_file(running, out + ".running")
"""


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("method", ["cyclegan", pytest.param("pix2pix", marks=pytest.mark.slow)])
def test_two_processes_train_the_weights_of_one_process_with_twice_the_batch_size(
    method: str, tmp_path: Path
) -> None:
    compare_two_processes_with_one(method, tmp_path, "cpu")


def compare_two_processes_with_one(method: str, tmp_path: Path, device: str) -> None:
    def start(batch: int, out: str, **variables: str) -> subprocess.Popen[bytes]:
        arguments = [method, str(STEPS), str(batch), str(tmp_path / out), device]
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments], env={**environment(), **variables}
        )

    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    processes = [start(BATCH, "two", **address, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]
    processes.append(start(2 * BATCH, "one"))
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    for suffix in ("", ".running"):
        one, two = (load_file(tmp_path / f"{name}{suffix}") for name in ("one", "two"))
        assert one.keys() == two.keys()
        for name, weight in one.items():
            assert (weight - two[name]).abs().max() <= 1e-8 if weight.is_floating_point() else True, name


def torchrun(*arguments: str, restarts: int = 0) -> list[str]:
    """Return the words of torchrun for `translate ARGUMENTS` in two processes."""
    launcher = ["--nproc-per-node", "2", "--max-restarts", str(restarts), "--master-port", free_port()]
    words = ["-m", "torch.distributed.run", *launcher, "-m", "translate", *on_cpu(*arguments)]
    return [sys.executable, *words]


def train(out: str) -> list[str]:
    flags = [*TINY_TRANSLATION, "--pool-size", "3", "--checkpoint-every", "4", "--deterministic"]
    return torchrun("train", "cyclegan", "--data", "data", "--out", out, "--steps", "12", *flags, restarts=1)


def training_processes(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that torchrun has started."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "translate" in child.cmdline()]


@pytest.mark.slow
def test_torchrun_restarts_a_killed_process_and_the_run_ends_equal_bitwise(
    data: Path, tmp_path: Path
) -> None:
    uninterrupted = subprocess.run(
        train("uninterrupted"), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    assert "2 processes" in uninterrupted.stderr
    assert uninterrupted.stderr.count("checking the dataset") == 1
    assert uninterrupted.stdout.count("the model is in uninterrupted") == 1

    run = tmp_path / "killed"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(train("killed"), cwd=tmp_path, env=environment(), stderr=log)
        while newest_step(run) < 4 and process.poll() is None:
            time.sleep(0.01)
        victim = training_processes(process)[-1]
        os.kill(victim.pid, signal.SIGKILL)
        assert process.wait(timeout=120) == 0, (tmp_path / "log").read_text()
    assert "resuming killed from step" in (tmp_path / "log").read_text()
    name = "checkpoints/step-00000012.safetensors"
    expected, restarted = (load_file(tmp_path / folder / name) for folder in ("uninterrupted", "killed"))
    assert expected.keys() == restarted.keys()
    assert [key for key in expected if not expected[key].equal(restarted[key])] == []


def test_two_processes_translate_each_image_once_and_write_one_report(
    data: Path, model: Path, tmp_path: Path
) -> None:
    folder = data / "trainA"
    names = sorted(path.name for path in folder.iterdir())
    (folder / "broken.png").write_bytes(b"not an image")
    apply = ["apply", str(model), str(folder), "-o", "out", "--engine", "torch"]

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        options = {"cwd": tmp_path, "env": environment(), "text": True}
        return subprocess.run(command, capture_output=True, check=False, **options)

    result = run(torchrun(*apply, "--report", "r.json"))
    assert result.returncode, "one image failed"
    assert result.stdout.count(f"{len(names)} images written to out") == 1, result.stdout + result.stderr
    assert result.stderr.count("broken.png: not an image") == 1, result.stderr
    records = json.loads((tmp_path / "r.json").read_text())
    assert sorted(Path(record["in"]).name for record in records) == sorted([*names, "broken.png"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert f"{len(names)} done before" in run(command(*apply)).stdout


def test_ctrl_c_saves_the_run_once(data: Path, tmp_path: Path) -> None:
    """The terminal sends SIGINT to all processes, and torchrun sends it to its processes once more."""
    log = (tmp_path / "log").open("wb")
    command = [word if word != "12" else "100000" for word in train("run")]
    command[command.index("--workers") + 1] = "1"
    with log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stderr=log, stdout=log, start_new_session=True
        )
        while newest_step(tmp_path / "run") < 4 and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    messages = (tmp_path / "log").read_text()
    assert messages.count("translate train cyclegan --out run --resume") == 1, messages
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert newest_step(tmp_path / "run") == last["step"], "the last step that was taken is saved"
