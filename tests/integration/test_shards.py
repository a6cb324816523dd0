"""Training on tar files by the command line, as on the folder that went into them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.images import noise
from tests.integration.conftest import TINY, TINY_TRANSLATION, Command

SIDES = ["--domainA", "a-{0..1}.tar", "--domainB", "b-*.tar"]


@pytest.fixture
def shards(tmp_path: Path) -> None:
    """Two tar files of seven images for each of two kinds, one of them no image; and pairs in one."""
    for number in range(14):
        image = noise(tmp_path / f"{number:02}.png", 40, 40, seed=number)
        for kind in "ab":
            with tarfile.open(tmp_path / f"{kind}-{number // 7}.tar", "a") as file:
                file.add(image, image.name)
        with tarfile.open(tmp_path / "pairs.tar", "a") as file:
            file.add(image, f"{number}.in.png")
            file.add(image, f"{number}.out.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with tarfile.open(tmp_path / "a-0.tar", "a") as file:
        file.add(tmp_path / "bad.png", "bad.png")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pix2pix", "--data", "pairs.tar", *TINY_TRANSLATION],
        ["pix2pix", *SIDES, *TINY_TRANSLATION],
        ["cyclegan", *SIDES, *TINY_TRANSLATION],
        ["colorize", "--data", "a-{0..1}.tar", *TINY_TRANSLATION],
        ["inpaint", "--data", "a-*.tar", *TINY_TRANSLATION],
        ["dcgan", "--data", "a-{0..1}.tar", *TINY],
    ],
    ids=["pairs", "pairs of two sets", "cyclegan", "colorize", "inpaint", "dcgan"],
)
def test_a_recipe_trains_on_tar_files_and_goes_on_where_it_stopped(
    arguments: list[str], within: Command, shards: None, tmp_path: Path
) -> None:
    length = ["--checkpoint-every", "3", "--deterministic", "--lr-schedule", "constant"]
    within("train", *arguments, *length, "--steps", "9", "-o", "whole")
    within("train", *arguments, *length, "--steps", "3", "-o", "cut")
    within("train", *arguments, *length, "--steps", "9", "-o", "cut", "--resume")
    newest = "checkpoints/step-00000009.safetensors"
    whole, cut = (load_file(tmp_path / run / newest) for run in ("whole", "cut"))
    assert [name for name in whole if not whole[name].equal(cut[name])] == []


def test_what_is_bad_in_a_tar_file_is_told_and_left_out(translate: Command, shards: None) -> None:
    told = translate(
        "train", "colorize", "--data", "a-0.tar", "--steps", "9", "-o", "run", *TINY_TRANSLATION
    ).stderr
    assert "left out, a-0.tar/bad.png: not an image of a known format" in told
    checked = translate("data", "check", "a-0.tar", code=3)
    assert "a-0.tar/bad.png: not an image of a known format" in checked.stdout
