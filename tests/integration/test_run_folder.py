"""The folder of a run: one training at a time, moved data, edited settings and damaged checkpoints."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

import translate as package
from tests.images import demo
from tests.integration import warm
from tests.integration.conftest import TINY_TRANSLATION, Command, environment
from tests.integration.test_resume import newest_step, start
from translate.errors import UsageError

TRAIN = ["train", "pix2pix", "--out", "run", *TINY_TRANSLATION, "--deterministic"]
RESUME = ["train", "pix2pix", "--out", "run", "--resume"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run of 4 steps with checkpoints at 2 and 4; return the folder of the run and its data."""
    folder = tmp_path_factory.mktemp("trained")
    demo(folder / "data")
    arguments = [*TRAIN, "--data", "data", "--steps", "4", "--checkpoint-every", "2"]
    result = warm.run(arguments, folder, environment())
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """Copy the trained run and its data to tmp_path, and return the folder of the run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def edit(run: Path, old: str, new: str) -> None:
    """Change config.yaml by hand."""
    text = (run / "config.yaml").read_text()
    assert len(re.findall(f"(?m)^{old}", text)) == 1
    (run / "config.yaml").write_text(re.sub(f"(?m)^{old}", new, text))


def steps_logged(run: Path) -> list[int]:
    """Return the steps of the records with losses."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [record["step"] for record in records if "g" in record]


def test_a_run_in_training_is_refused_and_can_be_applied_and_is_free_after_a_kill(
    within: Command, data: Path, tmp_path: Path
) -> None:
    train = [*TRAIN, "--data", "data", "--steps", "100000", "--checkpoint-every", "4"]
    process = start([*train, "--workers", "1", "--cache-size", "0"], tmp_path, 8)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)  # It leaves the processor to the commands below.
    try:
        for flags in (["--resume"], ["--overwrite"], []):
            error = within(*train, *flags, code=2).stderr
            assert f"process {process.pid} on {socket.gethostname()} is training in run" in error
        within("apply", "run", "data/testA", "-o", "applied", "--engine", "torch")
        assert process.is_alive()
    finally:
        process.kill()
        process.join(60)
    step = newest_step(tmp_path / "run")
    assert f"resuming run from step {step}" in within(*RESUME, "--steps", str(step + 1)).stderr


def test_of_two_trainings_that_start_at_once_in_one_folder_one_is_refused(data: Path, tmp_path: Path) -> None:
    train = [*TRAIN, "--data", "data", "--steps", "2"]
    outputs = [(tmp_path / f"out{n}", tmp_path / f"err{n}") for n in range(2)]
    processes = [warm.start(train, tmp_path, environment(), output) for output in outputs]
    for process in processes:
        process.join(60)
    assert sorted(process.exitcode or 0 for process in processes) == [0, 2]
    assert steps_logged(tmp_path / "run") == [2]


def test_the_data_of_a_run_may_move_and_the_message_says_how_to_follow(
    within: Command, run: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.rename(tmp_path / "moved")
    error = within(*RESUME, "--steps", "5", code=2).stderr
    assert "the data of run, data, is not there" in error
    assert str(tmp_path) in error, "a relative path depends on the current folder"
    assert "--data DIR" in error
    data.mkdir()  # The mount point of a disk that is not mounted.
    assert "give its new place with --data DIR" in within(*RESUME, "--steps", "5", code=2).stderr
    result = within(*RESUME, "--steps", "5", "--data", "moved")
    assert "resuming run from step 4" in result.stderr
    assert "data data -> moved" in result.stderr
    assert "resuming run from step 5" in within(*RESUME, "--steps", "6").stderr, "config.yaml has it"


def test_the_environment_and_domains_give_the_new_place_of_the_data_and_the_run_moves_too(
    within: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").rename(tmp_path / "moved")
    run.rename(tmp_path / "other name")
    resume = ["train", "pix2pix", "--out", "other name", "--resume"]
    monkeypatch.setenv("TRANSLATE_DATA", "moved")
    assert "resuming other name from step 4" in within(*resume, "--steps", "5").stderr
    monkeypatch.delenv("TRANSLATE_DATA")
    config = (tmp_path / "other name" / "config.yaml").read_text()
    assert "data: moved" in config
    assert "out: other name" in config
    (tmp_path / "moved").rename(tmp_path / "gone")
    domains = ["--domainA", "gone/trainA", "--domainB", "gone/trainB"]
    error = within(*resume, *domains, "--steps", "6", code=1).stderr
    assert "24 files instead of 28 files" in error, "without test images; domains replace --data"
    within("train", "pix2pix", "--out", "domains", *TRAIN[4:], *domains, "--steps", "1")
    (tmp_path / "gone").rename(tmp_path / "again")
    resume = ["train", "pix2pix", "--out", "domains", "--resume", "--steps", "2"]
    error = within(*resume, code=2).stderr
    assert "gone/trainA and gone/trainB" in error
    assert "--domainA DIR and --domainB DIR" in error
    within(*resume, "--domainA", "again/trainA", "--domainB", "again/trainB")


def test_other_images_are_refused_in_words(within: Command, run: Path, tmp_path: Path) -> None:
    data, fewer = tmp_path / "data", demo(tmp_path / "fewer", train=11)
    error = within(*RESUME, "--steps", "5", "--data", "fewer", code=1).stderr
    assert "fewer" in error
    assert "26 files instead of 28 files" in error
    for domain in ("trainA", "trainB"):
        (data / domain / "0000.png").rename(data / domain / "renamed.png")
    assert "with other names or subsets" in within(*RESUME, "--steps", "5", code=1).stderr
    assert fewer.is_dir()
    assert newest_step(run) == 4


def test_a_resumable_setting_in_an_edited_config_takes_effect_and_is_logged(
    within: Command, run: Path, tmp_path: Path
) -> None:
    weights = load_file(run / "model" / "model.safetensors")
    edit(run, "lr: 0.0002", "lr: 0.0")
    edit(run, "lr_schedule: linear", "lr_schedule: constant")
    edit(run, "steps: 4", "steps: 6")
    edit(run, "ema: 0.999", "ema: 0.999  # as before")
    result = within(*RESUME, "--epochs", "1")
    changes = (
        "epochs 200 -> 1, steps 4 -> none, as given now; lr 0.0002 -> 0.0, lr_schedule linear -> constant"
    )
    assert f"{changes}, as config.yaml says" in result.stderr
    after = load_file(run / "model" / "model.safetensors")
    assert weights.keys() == after.keys()
    assert "->" not in within(*RESUME).stderr, "nothing has changed since"


@pytest.mark.parametrize(
    ("name", "old", "new"), [("ngf", "4", "8"), ("seed", "0", "1"), ("flip", "true", "false")]
)
def test_any_other_setting_in_an_edited_config_is_refused_by_name(
    name: str, old: str, new: str, within: Command, run: Path
) -> None:
    edit(run, f"{name}: {old}", f"{name}: {new}")
    error = within(*RESUME, "--steps", "6", code=2).stderr
    assert f"{name} is {new} in run/config.yaml, but the run was trained with {old}: put {old} back" in error
    assert newest_step(run) == 4


def test_a_run_whose_config_is_lost_or_emptied_resumes_as_the_message_says(
    within: Command, run: Path
) -> None:
    (run / "config.yaml").unlink()
    assert "'recipe: NAME'" in within(*RESUME, "--steps", "6", code=2).stderr
    (run / "config.yaml").write_text("")
    assert "'recipe: NAME'" in within(*RESUME, "--steps", "6", code=2).stderr
    (run / "config.yaml").write_text("recipe: pix2pix\n")
    assert "resuming run from step 4" in within(*RESUME, "--steps", "6").stderr
    assert "ngf: 4" in (run / "config.yaml").read_text()


def test_a_wrong_value_names_its_file_and_a_removed_line_keeps_its_value(within: Command, run: Path) -> None:
    edit(run, "ngf: 4.*\n", "")
    assert "resuming run from step 4" in within(*RESUME, "--steps", "5").stderr
    edit(run, "lr: 0.0002", "lr: fast")
    assert "run/config.yaml: lr is 'fast'" in within(*RESUME, code=2).stderr
    edit(run, "lr: fast", "lr: 0.0002\nminutes_: 3")
    assert "run/config.yaml: unknown setting 'minutes_'" in within(*RESUME, code=2).stderr
    edit(run, "minutes_: 3.*\n", "")
    edit(run, "minutes: null", "minutes: 3")
    error = within(*RESUME, code=2).stderr
    assert "run/config.yaml: steps 5 and minutes 3" in error


def test_a_checkpoint_without_its_settings_is_no_traceback(within: Command, tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "fixtures" / "v1" / "run", tmp_path / "run")
    demo(tmp_path / "data", train=12, test=4)
    edit(tmp_path / "run", r"ngf: \d+", "ngf: 3")
    error = within("train", "cyclegan", "--out", "run", "--resume", "--steps", "9", code=1).stderr
    assert "config.yaml" in error
    assert error.count("\n") == 2


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [lambda path: os.truncate(path, 1000), lambda path: os.truncate(path, 0), flip, Path.unlink],
    ids=["cut off", "empty", "flipped bit", "missing"],
)
def test_a_run_whose_newest_checkpoint_is_damaged_resumes_from_the_one_before(
    damage: Callable[[Path], None], within: Command, run: Path, tmp_path: Path
) -> None:
    newest = run / "checkpoints" / "step-00000004.safetensors"
    expected = {name: weight.clone() for name, weight in load_file(newest).items()}
    damage(newest)
    result = within(*RESUME, "--keep-checkpoints", "1", "--checkpoint-every", "1")
    assert ("checkpoint step-00000004 cannot be read" in result.stderr) == (damage is not Path.unlink)
    assert "resuming run from step 2" in result.stderr
    assert steps_logged(run) == [2, 3, 4]
    weights = load_file(newest)
    assert [name for name in expected if not weights[name].equal(expected[name])] == []


def test_a_run_without_a_checkpoint_that_can_be_read_is_one_error(within: Command, run: Path) -> None:
    for path in (run / "checkpoints").iterdir():
        flip(path)
    error = within(*RESUME, code=1).stderr
    assert "no checkpoint of run can be read" in error
    assert "--init run" in error
    assert len(list((run / "checkpoints").iterdir())) == 2


def test_a_run_that_cannot_be_locked_trains_with_a_warning(within: Command, run: Path) -> None:
    (run / ".lock").unlink(missing_ok=True)
    (run / ".lock").mkdir()  # As on a network disk without locks, the lock cannot be taken.
    result = within(*RESUME, "--steps", "5")
    assert "run cannot be locked" in result.stderr
    assert newest_step(run) == 5


def test_python_refuses_a_setting_that_a_resumed_run_cannot_change(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="ngf is 8, but 4 in run"):
        package.train("pix2pix", out="run", resume=True, ngf=8)
