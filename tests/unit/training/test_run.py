"""The folder of a run, and the settings that a resumed run may change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from translate.config import dump_yaml
from translate.errors import UsageError
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.training.runs.folder import Run
from translate.training.runs.resume import resume_config


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Create the folder of a pix2pix run."""
    run = Run(tmp_path / "run")
    config = Pix2PixConfig(out=str(run.folder), data="photos", batch_size=2, steps=100)
    run.create(dump_yaml(config, "pix2pix"))
    return run


def add_checkpoints(run: Run, *steps: int) -> Run:
    run.checkpoint(0).parent.mkdir(exist_ok=True)
    for step in steps:
        run.checkpoint(step).touch()
    return run


@pytest.mark.parametrize(
    ("keep", "best", "remaining"),
    [
        (1, None, [40]),
        (2, None, [30, 40]),
        (2, 10, [10, 30, 40]),
        (2, 40, [30, 40]),
        (9, 20, [10, 20, 30, 40]),
    ],
)
def test_the_newest_checkpoints_and_the_best_are_kept(
    keep: int, best: int | None, remaining: list[int], run: Run
) -> None:
    add_checkpoints(run, 10, 20, 30, 40).prune(keep, best)
    assert list(run.checkpoints()) == remaining


def test_checkpoints_are_ordered_by_their_steps(run: Run) -> None:
    steps = [5, 99_999_999, 100_000_000]
    assert list(add_checkpoints(run, *reversed(steps)).checkpoints()) == steps


def test_other_files_are_not_checkpoints(run: Run) -> None:
    add_checkpoints(run, 7)
    for name in ("step-old.safetensors", "step-00000008.txt"):
        (run.folder / "checkpoints" / name).touch()
    assert list(run.checkpoints()) == [7]
    run.prune(1, None)
    assert len(list((run.folder / "checkpoints").iterdir())) == 3


def test_pruning_removes_what_a_killed_process_left_of_a_checkpoint(run: Run) -> None:
    add_checkpoints(run, 7)
    part = run.folder / "checkpoints" / ".translate-abc.part"
    part.mkdir()
    (part / "step-00000009.safetensors").write_bytes(b"half")
    os.utime(part, (0, 0))
    run.prune(1, None)
    assert [path.name for path in part.parent.iterdir()] == ["step-00000007.safetensors"]


def test_a_run_without_checkpoints_has_none(run: Run) -> None:
    assert run.checkpoints() == {}
    run.prune(1, None)


def test_a_run_is_refused_without_overwrite(run: Run) -> None:
    with pytest.raises(UsageError, match=r"--resume, .* --overwrite"):
        run.refuse(overwrite=False)
    run.refuse(overwrite=True)


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_with_other_files_is_always_refused(overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"holds files.* --out"):
        Run(tmp_path).refuse(overwrite=overwrite)


def test_an_empty_or_missing_folder_is_accepted(tmp_path: Path) -> None:
    Run(tmp_path).refuse(overwrite=False)
    Run(tmp_path / "new").refuse(overwrite=False)
    (tmp_path / ".lock").touch()  # Of a run that was killed before it had written anything else.
    Run(tmp_path).refuse(overwrite=False)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(UsageError, match="--out"):
        Run(tmp_path / "run").refuse(overwrite=False)


def test_overwriting_removes_everything_of_the_earlier_run(run: Run) -> None:
    add_checkpoints(run, 5).log.touch()
    run.create("recipe: pix2pix\n")
    assert [path.name for path in run.folder.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({}, {}),
        ({"steps": "200"}, {"steps": 200}),
        ({"epochs": 5}, {"steps": None, "epochs": 5}),
        ({"minutes": 3}, {"steps": None, "minutes": 3.0}),
        ({"workers": 0, "device": "cpu"}, {"workers": 0, "device": "cpu"}),
        ({"checkpoint_every": 10, "keep_checkpoints": 5}, {"checkpoint_every": 10, "keep_checkpoints": 5}),
        ({"batch_size": "2", "data": "photos"}, {}),
        ({"lr": "1e-3", "lr_d": 2e-3}, {"lr": 1e-3, "lr_d": 2e-3}),
        ({"data": "elsewhere/photos"}, {"data": "elsewhere/photos"}),
    ],
)
def test_a_resumed_run_may_change_its_length_learning_rates_and_hardware(
    settings: dict[str, Any], changes: dict[str, Any], run: Run
) -> None:
    before, _ = resume_config(Pix2PixConfig, run, "pix2pix", {}, {})
    assert before.batch_size == 2
    after, lines = resume_config(Pix2PixConfig, run, "pix2pix", settings, {})
    assert after == before.replace(**changes)
    assert bool(lines) == bool(changes)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch_size", 4, "batch_size is 4, but 2 .*--batch-size"),
        ("ngf", "8", "ngf is 8, but 64 .*--ngf"),
        ("beta1", "0.9", r"beta1 is 0\.9, but 0\.5 .*--beta1"),
        ("seed", 1, "seed is 1, but 0 .*--seed"),
    ],
)
def test_a_resumed_run_keeps_all_other_settings(name: str, value: Any, message: str, run: Run) -> None:
    with pytest.raises(UsageError, match=message):
        resume_config(Pix2PixConfig, run, "pix2pix", {name: value}, {})


def test_a_run_of_another_recipe_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match=r"run of pix2pix, not of cyclegan.* translate train pix2pix"):
        resume_config(Pix2PixConfig, run, "cyclegan", {}, {})


def test_a_run_may_be_moved(run: Run, tmp_path: Path) -> None:
    new_place = Run(run.folder.rename(tmp_path / "elsewhere"))
    config, _ = resume_config(Pix2PixConfig, new_place, "pix2pix", {"out": str(new_place.folder)}, {})
    assert config.batch_size == 2
    assert config.out == str(new_place.folder)


def test_an_unknown_setting_in_the_config_of_a_run_is_an_error(run: Run) -> None:
    run.config.write_text(run.config.read_text() + "lr_warmup: 3\n")
    with pytest.raises(UsageError, match="lr_warmup"):
        resume_config(Pix2PixConfig, run, "pix2pix", {}, {})
