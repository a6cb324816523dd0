"""Every recipe trains on tar files (shards), and resumes there to the bit."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.images import noise
from tests.integration.conftest import TINY, TINY_TRANSLATION, Command

DOMAINS = ["--domainA", "a-{0..1}.tar", "--domainB", "b-*.tar"]


@pytest.fixture
def shards(tmp_path: Path) -> None:
    """Write two tar files for each of two domains, with one unreadable image, and a tar file of pairs."""
    for number in range(14):
        image = noise(tmp_path / f"{number:02}.png", 40, 40, seed=number)
        for domain in "ab":
            with tarfile.open(tmp_path / f"{domain}-{number // 7}.tar", "a") as tar:
                tar.add(image, image.name)
        with tarfile.open(tmp_path / "pairs.tar", "a") as tar:
            tar.add(image, f"{number}.in.png")
            tar.add(image, f"{number}.out.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with tarfile.open(tmp_path / "a-0.tar", "a") as tar:
        tar.add(tmp_path / "bad.png", "bad.png")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pix2pix", "--data", "pairs.tar", *TINY_TRANSLATION],
        ["pix2pix", *DOMAINS, *TINY_TRANSLATION],
        ["cyclegan", *DOMAINS, *TINY_TRANSLATION],
        ["colorize", "--data", "a-{0..1}.tar", *TINY_TRANSLATION],
        ["inpaint", "--data", "a-*.tar", *TINY_TRANSLATION],
        ["dcgan", "--data", "a-{0..1}.tar", *TINY],
    ],
    ids=["pix2pix", "pix2pix of two domains", "cyclegan", "colorize", "inpaint", "dcgan"],
)
def test_a_resumed_run_on_tar_files_ends_with_the_weights_of_an_uninterrupted_run(
    arguments: list[str], within: Command, shards: None, tmp_path: Path
) -> None:
    options = ["--checkpoint-every", "3", "--deterministic", "--lr-schedule", "constant"]
    within("train", *arguments, *options, "--steps", "9", "-o", "uninterrupted")
    within("train", *arguments, *options, "--steps", "3", "-o", "resumed")
    within("train", *arguments, *options, "--steps", "9", "-o", "resumed", "--resume")
    checkpoint = "checkpoints/step-00000009.safetensors"
    expected, state = (load_file(tmp_path / run / checkpoint) for run in ("uninterrupted", "resumed"))
    assert [name for name in expected if not expected[name].equal(state[name])] == []


def test_an_unreadable_image_in_a_tar_file_is_reported_and_left_out(translate: Command, shards: None) -> None:
    log = translate(
        "train", "colorize", "--data", "a-0.tar", "--steps", "9", "-o", "run", *TINY_TRANSLATION
    ).stderr
    assert "a-0.tar/bad.png: not an image" in log
    report = translate("data", "check", "a-0.tar", code=3).stdout
    assert "a-0.tar/bad.png: not an image" in report
