"""Mistakes in `translate train`: one line with the value, the rule and the remedy, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images import noise
from tests.integration.conftest import TINY_TRANSLATION, Command

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
WITH_DATA = ["--data", "data"]
MISTAKES = {  # name: the flags, and words of the message
    "missing folder": (["--data", "nowhere"], ["'nowhere'"]),
    "no data": ([], ["--data", "--domainA", "--domainB"]),
    "file in place of a folder": (["--data", "text.jpg"], ["text.jpg is a file"]),
    "empty folder": (["--data", "empty"], ["empty", "no images"]),
    "same folder twice": (["--domainA", "data/trainA", "--domainB", "data/trainA/"], ["data/trainA", "same"]),
    "one domain": (["--domainA", "data/trainA"], ["--domainA", "--domainB"]),
    "unknown flag": ([*WITH_DATA, "--bach-size", "2"], ["--bach-size", "--batch-size"]),
    "unknown key": ([*WITH_DATA, "--config", "typo.yaml"], ["typo.yaml", "'epoch'", "'epochs'"]),
    "not YAML": ([*WITH_DATA, "--config", "broken.yaml"], ["broken.yaml, line 2: not YAML"]),
    "config of another recipe": ([*WITH_DATA, "--config", "other.yaml"], ["other.yaml", "cyclegan"]),
    "missing config": ([*WITH_DATA, "--config", "gone.yaml"], ["'gone.yaml'"]),
    "out of range": ([*WITH_DATA, "--beta1", "2"], ["beta1", "2.0", "from 0 to 0.9999"]),
    "not a number": ([*WITH_DATA, "--epochs", "many"], ["epochs", "'many'", "whole number"]),
    "not a choice": ([*WITH_DATA, "--norm", "bach"], ["norm", "'bach'", "'batch'"]),
    "unfit size": ([*WITH_DATA, "--image-size", "100"], ["100", "--image-size 64 or 128"]),
    "too large a batch": ([*WITH_DATA, "--batch-size", "99"], ["99", "--batch-size 12"]),
    "missing device": ([*WITH_DATA, "--device", "tpu9"], ["'tpu9'", "use auto"]),
    "missing model": ([*WITH_DATA, "--init", "nowhere"], ["no model 'nowhere'"]),
    "two lengths": ([*WITH_DATA, "--steps", "2", "--minutes", "1"], ["steps 2", "minutes 1"]),
    "two ways to start": ([*WITH_DATA, "--resume", "--overwrite"], ["--resume", "--overwrite"]),
    "unwritable run": ([*WITH_DATA, "--out", "text.jpg/run"], ["text.jpg/run"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_starts_no_run(
    mistake: str, translate: Command, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "typo.yaml").write_text("epoch: 3\n")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    (tmp_path / "other.yaml").write_text("recipe: cyclegan\n")
    flags, words = MISTAKES[mistake]
    code = 1 if mistake == "unwritable run" else 2
    sizes = [] if "--image-size" in flags else TINY_TRANSLATION
    result = translate("train", "pix2pix", "--steps", "1", *sizes, *flags, code=code)
    (error,) = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
    for word in words:
        assert word in error
    assert result.stdout == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "cyclegam"], ["'cyclegam'", "'cyclegan'"]),
        (["trian"], ["'trian'", "'train'"]),
        (["train", "--data", "data", "pix2pix"], ["translate train RECIPE --data"]),
        (["train", "recipe.yaml"], ["recipe.yaml", "recipe: pix2pix"]),
        (["train", "gone.yaml"], ["'gone.yaml'"]),
        (["apply", IDENTITY, "a.png", "-o", "out", "--format", "bmp"], ["format", "'bmp'", "png"]),
        (["apply", IDENTITY, "a.png", "-o", "out", "--precision", "fp8"], ["precision", "'fp8'", "bf16"]),
        (["apply", IDENTITY, "a.png", "-o", "out", "--overwrit"], ["--overwrit", "--overwrite"]),
    ],
)
def test_a_wrong_word_is_refused_with_the_right_one(
    arguments: list[str | Path], words: list[str], within: Command, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text("lr: 1e-4\n")
    noise(tmp_path / "a.png")
    error = within(*arguments, code=2).stderr.splitlines()[-1]
    for word in words:
        assert word in error


def test_a_length_replaces_the_length_in_a_config_file(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "short.yaml").write_text("recipe: pix2pix\nminutes: 4\n")
    flags = [*WITH_DATA, *TINY_TRANSLATION, "--epochs", "3", "--dry-run"]
    result = translate("train", "short.yaml", *flags)
    assert "epochs: 3 " in result.stdout
    assert "minutes: null" in result.stdout


def test_overwrite_removes_no_folder_that_is_not_a_run(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.yaml").write_text("mine: true\n")
    flags = [*WITH_DATA, "--steps", "1", *TINY_TRANSLATION, "--out", "project", "--overwrite"]
    result = translate("train", "pix2pix", *flags, code=2)
    assert "error: project " in result.stderr
    assert (project / "config.yaml").read_text() == "mine: true\n"


def test_unusable_files_are_reported_and_left_out_of_training(translate: Command, data: Path) -> None:
    (data / "trainA" / "0003.png").write_text("no image")
    (data / "trainB" / "0004.png").unlink()
    result = translate("train", "pix2pix", *WITH_DATA, "--steps", "1", *TINY_TRANSLATION)
    for file in ("data/trainA/0003.png", "data/trainA/0004.png"):
        assert any("left out" in line and file in line for line in result.stderr.splitlines())
    assert "10 training pairs" in result.stderr
    check = translate("data", "check", "data", code=3)
    assert "data/trainA/0003.png: not an image" in check.stdout


def test_a_dry_run_shows_settings_data_and_memory_and_writes_nothing(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    result = translate("train", "cyclegan", *WITH_DATA, *TINY_TRANSLATION, "--dry-run")
    for text in (
        "lambda_identity: 0.5  # ",
        "12 + 12 training images",
        "memory: about",
        "run: runs/cyclegan",
    ):
        assert text in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_settings_come_from_defaults_files_and_flags(translate: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("recipe: pix2pix\nlr: 1e-4\nbeta1: 0.4\nngf: 4\nndf: 4\n")
    (tmp_path / "more.yaml").write_text("lr: 2e-5\nd_layers: 2\n")
    flags = ["--config", "more.yaml", *WITH_DATA, "--image-size", "32", "--device", "cpu", "--dry-run"]
    result = translate("train", "recipe.yaml", *flags, TRANSLATE_SEED="7")
    for line in (
        "lr: 2.0e-05",
        "beta1: 0.4",
        "beta2: 0.999",
        "image_size: 32",
        "seed: 7",
        "run: runs/recipe",
    ):
        assert line in result.stdout
