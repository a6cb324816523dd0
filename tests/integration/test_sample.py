"""`translate sample`: images from noise, grids, animations and traversals of codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.backbones import tiny_backbone
from tests.images import demo, noise
from tests.integration import warm
from tests.integration.conftest import TINY, Command, environment
from translate.images import read_rgb
from translate.images.sheet import GAP
from translate.inference.predictors.styles import projection
from translate.progress import Advanced, Event, Started, listening


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train InfoGAN for a few steps, and return its run."""
    folder = tmp_path_factory.mktemp("infogan")
    demo(folder / "data")
    arguments = ["train", "infogan", "--data", "data", "--steps", "3", "--out", "run", *TINY]
    result = warm.run(arguments, folder, environment())
    assert result.returncode == 0, result.stderr
    assert "next: translate sample run -o out/" in result.stdout
    assert "diversity" in result.stderr
    return folder / "run"


def test_the_same_seed_gives_the_same_images(within: Command, run: Path, tmp_path: Path) -> None:
    within("sample", run, "-o", "few", "-n", "2", "--seed", "7")
    within("sample", run, "-o", "more", "-n", "5", "--seed", "7")
    within("sample", run, "-o", "other", "-n", "1", "--seed", "8")
    few, more, other = (sorted((tmp_path / name).iterdir()) for name in ("few", "more", "other"))
    assert [len(files) for files in (few, more, other)] == [2, 5, 1]
    assert all(np.array_equal(read_rgb(a), read_rgb(b)) for a, b in zip(few, more, strict=False))
    assert not np.array_equal(read_rgb(few[0]), read_rgb(other[0]))


def test_styles_are_mixed_walked_through_and_found(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo(tmp_path / "data")
    sizes = ("--image-size", "32", "--latent", "8", "--fmap-base", "64", "--fmap-max", "8")
    run = ("--data", "data", "--steps", "2", "--batch-size", "2", "--device", "cpu")
    within("train", "stylegan2", *run, *sizes)
    within("sample", "runs/stylegan2", "-o", "mix.png", "--mix", "2x3", "--truncation", "0.7")
    assert read_rgb(tmp_path / "mix.png").shape[0] // 32 == 3
    for truncation, moves in {"1": True, "0": False}.items():  # At 0, each frame is the image of the mean w.
        walk = ("-o", "walk.gif", "--interpolate", "2", "--truncation", truncation, "--overwrite")
        within("sample", "runs/stylegan2", *walk)
        with Image.open(tmp_path / "walk.gif") as animation:
            assert (animation.n_frames > 1) == moves  # Equal frames are stored once.
    assert "differs from torch by at most" in within("export", "runs/stylegan2", "-o", "model.onnx").stdout
    photo = noise(tmp_path / "photo.png")
    monkeypatch.setattr(projection, "load_backbone", lambda name, **options: tiny_backbone(name))
    result = within("project", "runs/stylegan2", photo, "-o", "found.png", "--steps", "2")
    assert "found.png and found.safetensors: distance" in result.stdout
    within("sample", "runs/stylegan2", "-o", "from.png", "-n", "1", "--from", "found.safetensors")
    found, sampled = (read_rgb(tmp_path / name) for name in ("found.png", "from.png"))
    assert np.array_equal(sampled[GAP:-GAP, GAP:-GAP], found)
    for mix in ("4", "0x4", "4x99"):
        assert (
            f"--mix {mix} is no grid"
            in within("sample", "runs/stylegan2", "-o", "m.png", "--mix", mix, code=2).stderr
        )


def test_a_model_without_styles_mixes_none(within: Command, run: Path) -> None:
    result = within("sample", run, "-o", "mix.png", "--mix", "2x2", code=2)
    assert "--mix: a model of infogan has no styles: give one of stylegan2" in result.stderr


def test_a_grid_an_animation_and_the_traversals_of_codes(within: Command, run: Path, tmp_path: Path) -> None:
    within("sample", run, "-o", "grid.png", "-n", "20")
    height, width, _ = read_rgb(tmp_path / "grid.png").shape
    assert (height // 32) * (width // 32) >= 20
    within("sample", run, "-o", "loop.gif", "--interpolate", "3")
    with Image.open(tmp_path / "loop.gif") as animation:
        assert animation.n_frames > 30
    within("sample", run, "-o", "codes", "--traverse")
    names = sorted(path.name for path in (tmp_path / "codes").iterdir())
    assert names == ["category.png", "code-1.png", "code-2.png"]
    assert "differs from torch by at most" in within("export", run, "-o", "model.onnx").stdout


def test_truncation_and_the_weights_without_ema_change_the_images(
    within: Command, run: Path, tmp_path: Path
) -> None:
    flags = {"plain": (), "truncated": ("--truncation", "0.5"), "raw": ("--no-ema",)}
    images = {}
    for name in flags:
        within("sample", run, "-o", f"{name}.png", "-n", "4", "--seed", "3", *flags[name])
        images[name] = read_rgb(tmp_path / f"{name}.png")
    assert images["plain"].shape == images["truncated"].shape == images["raw"].shape
    assert not np.array_equal(images["plain"], images["truncated"])
    assert not np.array_equal(images["plain"], images["raw"])


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["-o", "many", "-n", "9"], 9),
        (["-o", "many.png", "-n", "9"], 9),
        (["-o", "many.gif", "--interpolate", "2"], 32),
    ],
)
def test_progress_is_shown_while_many_samples_are_made(
    arguments: list[str], count: int, within: Command, run: Path
) -> None:
    events: list[Event] = []
    with listening(events.append):
        within("sample", run, *arguments)
    done = [event.done for event in events if isinstance(event, Advanced)]
    assert done == list(range(1, count + 1))
    assert [event.total for event in events if isinstance(event, Started)] == [count]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "RUN", "-o", "x.tiff"], ["x.tiff", ".png, .jpg, .jpeg or .webp"]),
        (["sample", "RUN", "-o", "x.gif"], ["x.gif", "--interpolate"]),
        (["sample", "RUN", "-o", "x.webp", "-n", "220000"], ["x.webp", "16383"]),
        (["sample", "RUN", "-o", "x", "--truncation", "nan"], ["truncation is nan", "0.1"]),
        (["sample", "RUN", "-o", "x.png", "--interpolate", "3"], ["x.png", ".gif, .webp or .mp4"]),
        (["sample", "RUN", "-o", "x.png", "--class", "cat"], ["'cat'", "without classes"]),
        (["sample", "RUN", "-o", "x", "--traverse", "--interpolate", "2"], ["--traverse", "--interpolate"]),
        (["sample", "RUN", "-o", "x", "--traverse", "--truncation", "1"], ["--traverse", "--truncation"]),
        (["sample", "RUN", "-o", "w.gif", "--interpolate", "2", "-n", "9"], ["--interpolate", "-n 9"]),
        (["sample", "RUN", "-o", "x", "--traverse", "-n", "9"], ["--traverse", "-n 9"]),
        (["sample", "colorize", "-o", "x"], ["translate apply"]),
        (["sample", "colorize", "-o", "x", "--no-ema"], ["translate apply"]),
        (["sample", "RUN/model", "-o", "x", "--no-ema"], ["run/model", "checkpoint"]),
        (["apply", "RUN", "data", "-o", "x"], ["translate sample"]),
        (["train", "dcgan"], ["--data"]),
        (["train", "cgan", "--data", "data", "--classes", "9"], ["2 classes", "classes is 9"]),
        (["train", "dcgan", "--data", "data", "--image-size", "48"], ["48", "--image-size 32 or 64"]),
        (["train", "cgan", "--data", "data/trainA", *TINY], ["data/trainA", "--labels"]),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    arguments: list[str], words: list[str], within: Command, run: Path, data: Path, tmp_path: Path
) -> None:
    result = within(*[argument.replace("RUN", str(run)) for argument in arguments], code=2)
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in error
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
