"""A folder here that has the name of an installed model, or of a dataset under datasets/."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import translate as package
from tests.images import demo, noise
from tests.integration.conftest import TINY, Command
from translate.images import read_rgb

IDENTITY = Path(__file__).parents[1] / "models" / "identity"


def put(content: str, folder: Path) -> None:
    """Make the folder hold photos, a model of another kind, or a run that has no model yet."""
    folder.mkdir()
    if content == "photos":
        noise(folder / "holiday.png")
    elif content == "model":
        shutil.copytree(IDENTITY, folder, dirs_exist_ok=True)
    else:
        (folder / "config.yaml").write_text("recipe: cyclegan\n")


@pytest.fixture(params=["photos", "model", "run"])
def content(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Put folders here with the names of the installed models; return what they hold."""
    for name in ("colorize", "inpaint"):
        put(request.param, tmp_path / name)
    return str(request.param)


@pytest.mark.parametrize("content", ["model", "run"], indirect=True)
def test_training_takes_its_own_networks_from_the_package(
    content: str, within: Command, data: Path, tmp_path: Path
) -> None:
    gan = ["dcgan", "--data", "data", *TINY]
    within("train", *gan, "--steps", "1")
    assert "resuming" in within("train", *gan, "--steps", "2", "--resume").stderr
    if content == "model":
        inpaint = ["inpaint", "--data", "data/trainA", "--lambda-features", "1", *TINY, "--dry-run"]
        assert "is the installed model" not in within("train", *inpaint).stderr


def test_a_name_is_the_installed_model_and_a_path_the_folder(
    content: str, within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = noise(tmp_path / "photo.png")
    note = "colorize is the installed model: for the folder colorize here, give ./colorize"
    first = within("colorize", photo, "-o", "out")
    assert (note in first.stderr) == (content != "photos")
    within("apply", "colorize", photo, "-o", "named")
    expected, named = read_rgb(tmp_path / "out" / "photo.png"), read_rgb(tmp_path / "named" / "photo.png")
    np.testing.assert_array_equal(named, expected)
    assert not np.array_equal(named, read_rgb(photo))

    path = within("apply", "./colorize", photo, "-o", "here", code=0 if content == "model" else 2)
    assert "is the installed model" not in path.stderr
    if content == "model":
        np.testing.assert_array_equal(read_rgb(tmp_path / "here" / "photo.png"), read_rgb(photo))
        monkeypatch.chdir(tmp_path)
        assert package.load(Path("colorize"), device="cpu").config.kind == "translation"
        assert package.load("colorize", device="cpu").config.kind == "colorization"


def test_the_next_command_of_a_run_with_such_a_name_works(
    within: Command, data: Path, tmp_path: Path
) -> None:
    result = within("train", "dcgan", "--data", "data", "--steps", "1", *TINY, "--out", "colorize")
    assert "next: translate sample ./colorize -o out/" in result.stdout
    assert "4 images" in within("sample", "./colorize", "-o", "grid.png", "-n", "4").stdout


def test_a_dataset_that_is_here_and_under_datasets_is_told(within: Command, tmp_path: Path) -> None:
    demo(tmp_path / "scenes", train=4)
    demo(tmp_path / "datasets" / "scenes", train=6)
    flags = ["train", "dcgan", *TINY, "--dry-run"]
    result = within(*flags, "--data", "scenes")
    assert result.stderr.count("scenes is the folder here: for the other one, give datasets/scenes") == 1
    assert "8 training images" in result.stdout
    for path, images in (("./scenes", 8), ("datasets/scenes", 12)):
        result = within(*flags, "--data", path)
        assert "for the other one" not in result.stderr
        assert f"{images} training images" in result.stdout
