"""StarGAN by the command line: the built-in set of three domains, and settings that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Command
from translate.data.demo import COATS, write_coats


@pytest.fixture
def coats(tmp_path: Path) -> Path:
    write_coats(tmp_path / "coats", size=16, train=6, test=2)
    return tmp_path / "coats"


def test_the_built_in_set_of_three_domains(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer scenes than the default, because they are drawn one by one.
    monkeypatch.setitem(write_coats.__kwdefaults__, "train", 6)
    monkeypatch.setitem(write_coats.__kwdefaults__, "test", 2)
    written = within("data", "demo", "coats", "--domains", "3", "--size", "16").stdout
    assert "next: translate train stargan --data coats --image-size 16" in written
    for split, count in (("train", 6), ("test", 2)):
        for coat in COATS:
            assert len(list((tmp_path / "coats" / split / coat).iterdir())) == count
    report = within("data", "check", "coats").stdout
    assert "stargan would use 18 training images, 6 validation images, 3 domains (black, brown, st" in report
    assert "next: " not in report  # Folders of photos by year look the same.


def test_a_domain_with_one_image_is_refused_in_one_line(within: Command, coats: Path) -> None:
    for path in sorted((coats / "train" / "brown").iterdir())[1:]:
        path.unlink()
    refused = "domain 'brown' has one training image (coats/train/brown/0000.png)"
    assert f"stargan cannot use it: {refused}" in within("data", "check", "coats").stdout
    error = within("train", "stargan", "--data", "coats", "--steps", "1", code=1).stderr
    assert refused in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--image-size", "30"], ["image_size 30", "--image-size 28 or 32"]),
        (["--d-layers", "5"], ["d_layers 5", "16 px", "--d-layers 4"]),
        (["--channels", "2"], ["channels 2", "--channels 1 or 3"]),
        (["--domains", "2"], ["domains 2", "3 of the dataset", "--domains"]),
        (["--batch-size", "1"], ["batch_size 1", "of each process", "--batch-size 2"]),
        (["--preprocess", "none"], ["preprocess", "resize_and_crop"]),
        (["--gan-loss", "lsgan"], ["--gan-loss"]),
        (["--attributes", "blond"], ["--attributes blond", "--labels"]),
        (["--labels", "missing.csv"], ["missing.csv"]),
    ],
)
def test_unusable_settings_are_refused_in_one_line(
    flags: list[str], words: list[str], within: Command, coats: Path, tmp_path: Path
) -> None:
    command = ["train", "stargan", "--data", "coats", "--image-size", "16", "--steps", "1", *flags]
    result = within(*command, code=2)
    message = result.stderr.strip().splitlines()[-1]
    assert all(word in message for word in words), message
    assert not (tmp_path / "runs").exists()


def test_a_run_does_not_resume_with_domains_of_other_names(within: Command, coats: Path) -> None:
    small = ["--image-size", "16", "--ngf", "4", "--ndf", "4", "--blocks", "1", "--batch-size", "2"]
    within("train", "stargan", "--data", "coats", "--steps", "1", "--device", "cpu", *small)
    for split in ("train", "test"):  # The labels would be those of other domains.
        (coats / split / "striped").rename(coats / split / "Azebra")
    error = within("train", "stargan", "--resume", "--steps", "2", code=1).stderr
    assert "the images in coats are not those" in error.splitlines()[-1]
