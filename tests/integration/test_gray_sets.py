"""Sets of gray images train networks of one channel, and their models write gray images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import translate
from tests.integration.conftest import Command, Result

TINY = [
    *("--image-size=32", "--ngf=2", "--ndf=2", "--workers=0", "--batch-size=2", "--device=cpu"),
    *("--precision=fp32", "--compile=off", "--cache-size=0"),
]
RECIPES = {
    "pix2pix": [*TINY, "--levels=2", "--d-layers=1"],
    "cyclegan": [*TINY, "--blocks=1", "--d-layers=1"],
    "dcgan": [*TINY, "--diffaugment"],
}
RGB = ("--in-channels=3", "--out-channels=3")


def train(
    within: Command, recipe: str, *flags: str, steps: int = 1, out: str = "run", code: int = 0
) -> Result:
    where = ("--data=data", f"--out={out}", f"--steps={steps}")
    return within("train", recipe, *where, *RECIPES[recipe], *flags, code=code)


def channels_of(run: Path) -> tuple[int, int]:
    config = translate.load(run, device="cpu", engine="torch").config
    return config.in_channels, config.out_channels


def write_images(folder: Path, mode: str) -> None:
    """Write images of noise: `L` (gray), `gray RGB` (three equal channels), or `RGB`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        pixels = np.random.default_rng([number, len(mode)]).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        image = Image.fromarray(pixels if mode == "RGB" else pixels[..., 0])
        (image.convert("RGB") if mode == "gray RGB" else image).save(folder / f"{number}.png")


def write_pairs(root: Path, a: str, b: str) -> None:
    write_images(root / "data" / "A", a)
    write_images(root / "data" / "B", b)


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


@pytest.mark.parametrize(
    ("a", "b", "flags", "channels"),
    [
        ("gray RGB", "L", (), (1, 1)),
        ("L", "RGB", (), (1, 3)),
        ("L", "RGB", ("--direction=BtoA",), (3, 1)),
        ("RGB", "RGB", (), (3, 3)),
        ("L", "L", RGB, (3, 3)),
        ("RGB", "RGB", ("--in-channels=1",), (1, 3)),
    ],
)
def test_pairs_train_as_many_channels_as_they_have(
    a: str, b: str, flags: tuple[str, ...], channels: tuple[int, int], within: Command, tmp_path: Path
) -> None:
    write_pairs(tmp_path, a, b)
    train(within, "pix2pix", *flags)
    assert channels_of(tmp_path / "run") == channels
    colour = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    output = translate.load(tmp_path / "run", device="cpu", engine="torch")(colour)
    assert output.shape == (20, 24, channels[1])
    log = (tmp_path / "run" / "log.txt").read_text()
    assert ("are gray: training" in log) == (1 in channels and "--in-channels=1" not in flags)


def test_a_gray_model_is_applied_evaluated_and_resumed(within: Command, tmp_path: Path) -> None:
    write_pairs(tmp_path, "L", "L")
    train(within, "pix2pix")
    within("apply", "run", "data/A", "-o", "out", "--engine", "torch")
    assert mode_of(tmp_path / "out" / "0.png") == "L"
    assert "psnr" in within("evaluate", "run", "--data", "data", "--metrics", "psnr,ssim").stdout.lower()
    train(within, "pix2pix", "--resume", steps=2)
    assert channels_of(tmp_path / "run") == (1, 1)


def test_earlier_runs_and_models_keep_their_three_channels(within: Command, tmp_path: Path) -> None:
    write_pairs(tmp_path, "L", "L")
    train(within, "pix2pix", *RGB)
    config = tmp_path / "run" / "config.yaml"
    config.write_text(re.sub(r"(?m)^(in|out)_channels: .*\n", "", config.read_text()))  # As it was then.
    train(within, "pix2pix", "--resume", steps=2)
    train(within, "pix2pix", "--init=run", out="tuned")
    assert channels_of(tmp_path / "run") == channels_of(tmp_path / "tuned") == (3, 3)


@pytest.mark.parametrize(("b", "channels"), [("L", 1), ("RGB", 3)])
def test_cyclegan_trains_one_channel_if_both_domains_are_gray(
    b: str, channels: int, within: Command, tmp_path: Path
) -> None:
    write_pairs(tmp_path, "gray RGB", b)
    train(within, "cyclegan")
    for direction in ("AtoB", "BtoA"):
        model = translate.load(tmp_path / "run", direction=direction, device="cpu", engine="torch")
        assert (model.config.in_channels, model.config.out_channels) == (channels, channels)
        assert model(np.zeros((32, 32, 1), np.uint8)).shape == (32, 32, channels)


def test_channels_without_a_meaning_are_refused(within: Command, tmp_path: Path) -> None:
    write_pairs(tmp_path, "L", "L")
    assert "in_channels 2" in train(within, "pix2pix", "--in-channels=2", code=2).stderr
    assert "out_channels 3" in train(within, "cyclegan", "--in-channels=1", code=2).stderr


def test_a_gan_of_gray_images_writes_gray_samples(within: Command, tmp_path: Path) -> None:
    write_images(tmp_path / "data", "gray RGB")
    train(within, "dcgan")
    within("sample", "run", "-o", "each", "-n", "2")
    within("sample", "run", "-o", "grid.png", "-n", "2")
    within("sample", "run", "-o", "between.gif", "--interpolate", "2")
    within("sample", "run", "-o", "between.mp4", "--interpolate", "2")
    files = [tmp_path / "each" / "0000.png", tmp_path / "grid.png", *(tmp_path / "run" / "samples").iterdir()]
    assert {mode_of(path) for path in files} == {"L"}
