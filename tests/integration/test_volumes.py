"""3D-GAN from the command line: built-in shapes, training, sampling, evaluation and export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.integration import warm
from tests.integration.conftest import TINY, Command, environment
from translate.data.shapes import write_shapes
from translate.images import read_rgb


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train 3D-GAN for a few steps, and return its run, beside its shapes."""
    folder = tmp_path_factory.mktemp("3dgan")
    write_shapes(folder / "shapes", count=8)
    (folder / "shapes" / "broken.npy").write_bytes(b"no array")
    arguments = ["train", "3dgan", "--data", "shapes", "--steps", "3", "--out", "run", *TINY]
    result = warm.run(arguments, folder, environment())
    assert result.returncode == 0, result.stderr
    assert "left out: shapes/broken.npy" in result.stderr
    assert "30 training volumes, 2 validation volumes of 32 x 32 x 32 voxels" in result.stderr
    assert "coverage" in result.stderr
    assert "next: translate sample run -o out/" in result.stdout
    return folder / "run"


def test_the_built_in_shapes_are_written_and_checked(within: Command, tmp_path: Path) -> None:
    output = within("data", "demo", "shapes", "--shapes").stdout
    assert "synthetic" in output
    assert "next: translate train 3dgan --data shapes --image-size 32" in output
    files = sorted((tmp_path / "shapes").rglob("*.npy"))
    assert len(files) == 1000
    voxels = np.load(files[0], allow_pickle=False)
    assert (voxels.shape, voxels.dtype) == ((32, 32, 32), np.uint8)
    assert (
        "3dgan would use 950 training volumes, 50 validation volumes"
        in within("data", "check", "shapes").stdout
    )
    files[0].write_bytes(b"no array")
    result = within("data", "check", "shapes", code=3)
    assert f"left out: {files[0].relative_to(tmp_path)}" in result.stdout


def test_samples_are_voxels_and_meshes_and_depend_on_the_seed(
    within: Command, run: Path, tmp_path: Path
) -> None:
    assert "2 volumes in few" in within("sample", run, "-o", "few", "-n", "2", "--seed", "7").stdout
    within("sample", run, "-o", "more", "-n", "3", "--seed", "7", "--mesh", "stl", "--no-ema")
    within("sample", run, "-o", "again", "-n", "3", "--seed", "7")
    few, again = (sorted((tmp_path / name).glob("*.npy")) for name in ("few", "again"))
    assert (len(few), len(again)) == (2, 3)
    assert all(np.array_equal(np.load(a), np.load(b)) for a, b in zip(few, again, strict=False))
    assert (tmp_path / "few" / "0000.obj").read_text().startswith("v ")
    assert len(list((tmp_path / "more").glob("*.stl"))) == 3
    within("sample", run, "-o", "grid.png", "-n", "3")
    assert read_rgb(tmp_path / "grid.png").shape[1] > 2 * 128


def test_scores_and_export(within: Command, run: Path) -> None:
    result = within("evaluate", run, "--data", run.parent / "shapes", "--json", "scores.json", code=3)
    heading, *rows = result.stdout.splitlines()[:5]
    assert heading.split() == ["volumes", "coverage", "nearest", "vs", "held-out", "connected"]
    assert [row.split()[0] for row in rows] == ["held-out", "training", "untrained", "model"]
    assert "skipped: " in result.stderr
    scores = json.loads(Path("scores.json").read_text())
    assert scores["kind"] == "volume"
    assert "differs from torch by at most" in within("export", run, "-o", "model.pt2").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "RUN", "-o", "x", "--truncation", "1"], ["generates volumes", "--truncation"]),
        (["sample", "RUN", "-o", "x", "--interpolate", "3"], ["generates volumes", "--interpolate"]),
        (["sample", "RUN", "-o", "x.png", "--mesh", "stl"], ["x.png", "--mesh"]),
        (["sample", "RUN", "-o", "x.obj"], ["x.obj", ".png"]),
        (["apply", "RUN", "RUN", "-o", "x"], ["no images"]),
        (["train", "3dgan"], ["--data"]),
        (["train", "3dgan", "--data", "SHAPES", "--image-size", "48"], ["48", "--image-size 32"]),
        (["train", "3dgan", "--data", "SHAPES", *TINY, "--batch-size", "99"], ["99", "--batch-size 30"]),
        (["train", "3dgan", "--data", "RUN/samples"], ["no volumes", "1 .png"]),
        (["train", "dcgan", "--data", "SHAPES"], ["no images", ".npy"]),
        (["evaluate", "RUN", "--data", "SHAPES", "--metrics", "psnr"], ["psnr", "coverage"]),
        (["data", "demo", "x", "--shapes", "--size", "48"], ["48", "--size 32"]),
        (["data", "demo", "x", "--shapes", "--domains", "3"], ["--domains 3"]),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    arguments: list[str], words: list[str], within: Command, run: Path, tmp_path: Path
) -> None:
    places = {"RUN": str(run), "SHAPES": str(run.parent / "shapes")}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    result = within(*arguments, code=2)
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in error
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_one_line_says_that_there_are_no_turntables(
    within: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.volumes.turntable.has_matplotlib", lambda: False)
    output = within("sample", run, "-o", "out", "-n", "1").stdout
    assert "no turntables without matplotlib: pip install 'translate-images[volumes]'" in output
    assert (tmp_path / "out" / "0000.obj").exists()
    assert "turntables" not in within("sample", run, "-o", "b", "-n", "1", "--turntable", "none").stdout
    assert "turntables" not in within("sample", run, "-o", "grid.png", "-n", "1").stdout
