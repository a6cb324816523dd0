"""A mistake is one clear line that names the value, the rule and the remedy, with its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import TINY_TRANSLATION, Command

MISTAKES = {
    "wrong folder": (["--data", "nowhere"], "no folder 'nowhere'"),
    "no data": ([], "give --data DIR, or --domainA DIR and --domainB DIR"),
    "a file for a folder": (["--data", "text.jpg"], "text.jpg is a file"),
    "an empty folder": (["--data", "empty"], "empty holds no images"),
    "the same folder twice": (["--domainA", "data/trainA", "--domainB", "data/trainA/"], "the same folder"),
    "one domain": (["--domainA", "data/trainA"], "only --domainA is given"),
    "unknown flag": (["--data", "data", "--bach-size", "2"], "--batch-size"),
    "unknown key": (["--data", "data", "--config", "typo.yaml"], "did you mean 'epochs'"),
    "not YAML": (["--data", "data", "--config", "broken.yaml"], "broken.yaml is not YAML"),
    "no config": (["--data", "data", "--config", "gone.yaml"], "cannot read the config 'gone.yaml'"),
    "out of range": (["--data", "data", "--beta1", "2"], "beta1 is 2.0, but must be from 0 to 0.9999"),
    "not a number": (["--data", "data", "--epochs", "many"], "epochs is 'many', but must be a whole number"),
    "not a choice": (["--data", "data", "--norm", "bach"], "norm is 'bach'; did you mean 'batch'?"),
    "a size that does not fit": (["--data", "data", "--image-size", "100"], "use --image-size 64 or 128"),
    "a batch too large": (["--data", "data", "--batch-size", "99"], "use --batch-size 12"),
    "no such device": (["--data", "data", "--device", "tpu9"], "use --device auto or cpu"),
    "no such model": (["--data", "data", "--init", "nowhere"], "no model 'nowhere': give a run"),
    "two lengths": (["--data", "data", "--steps", "2", "--minutes", "1"], "two lengths"),
    "an unwritable run": (["--data", "data", "--out", "text.jpg/run"], "cannot write the run"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_training_mistakes(mistake: str, translate: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "typo.yaml").write_text("epoch: 3\n")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    flags, message = MISTAKES[mistake]
    code = 1 if mistake == "an unwritable run" else 2
    sizes = [] if "--image-size" in flags else TINY_TRANSLATION
    result = translate("train", "pix2pix", "--steps", "1", *sizes, *flags, code=code)
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_length_takes_the_place_of_a_recipes_own(translate: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("recipe: pix2pix\nminutes: 4\n")
    result = translate(
        "train", "short.yaml", "--data", "data", *TINY_TRANSLATION, "--epochs", "3", "--dry-run"
    )
    assert "epochs: 3 " in result.stdout
    assert "minutes: null" in result.stdout


def test_a_folder_that_only_looks_like_a_run_is_never_removed(
    translate: Command, data: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.yaml").write_text("mine: true\n")
    flags = ["--data", "data", "--steps", "1", *TINY_TRANSLATION, "--out", "project", "--overwrite"]
    assert "holds files that are no run" in translate("train", "pix2pix", *flags, code=2).stderr
    assert (project / "config.yaml").read_text() == "mine: true\n"


def test_an_unknown_recipe_and_command_name_the_nearest(translate: Command) -> None:
    assert "did you mean 'cyclegan'?" in translate("train", "cyclegam", code=2).stderr
    assert "did you mean 'train'?" in translate("trian", code=2).stderr


def test_bad_images_are_told_by_name_before_training(translate: Command, data: Path) -> None:
    (data / "trainA" / "0003.png").write_text("no image")
    (data / "trainB" / "0004.png").unlink()
    result = translate("train", "pix2pix", "--data", "data", "--steps", "1", *TINY_TRANSLATION)
    assert "no partner in data/trainB, left out: data/trainA/0004.png" in result.stderr
    assert "left out, data/trainA/0003.png: not an image" in result.stderr
    assert "10 pairs to train on" in result.stderr
    check = translate("data", "check", "data", code=3)
    assert "data/trainA/0003.png: not an image" in check.stdout


def test_a_dry_run_tells_all_and_leaves_nothing(translate: Command, data: Path, tmp_path: Path) -> None:
    result = translate("train", "cyclegan", "--data", "data", *TINY_TRANSLATION, "--dry-run")
    assert "lambda_identity: 0.5  # weight of the identity loss" in result.stdout
    assert "12 + 12 images to train on, 2 + 2 held out" in result.stdout
    assert "memory: about" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_settings_come_from_field_yaml_environment_and_flag(
    translate: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipe.yaml").write_text("recipe: pix2pix\nlr: 1e-4\nbeta1: 0.4\nngf: 4\nndf: 4\n")
    (tmp_path / "more.yaml").write_text("lr: 2e-5\nd_layers: 2\n")
    result = translate(
        *(
            "train",
            "recipe.yaml",
            "--config",
            "more.yaml",
            "--data",
            "data",
            "--image-size",
            "32",
            "--dry-run",
        )
    )
    for line in ("lr: 2.0e-05", "beta1: 0.4", "beta2: 0.999", "image_size: 32", "run: runs/recipe"):
        assert line in result.stdout
