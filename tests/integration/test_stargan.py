"""StarGAN by the command line: the built-in set of three domains, and settings that are refused."""

from __future__ import annotations

import shutil
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
    error = within("data", "demo", "coats", code=2).stderr
    assert "coats/train is of another dataset" in error
    assert not (tmp_path / "coats" / "trainA").exists()
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
        (["--domains", "2"], ["coats has 3 domains (black, brown, striped)", "domains is 2"]),
        (["--batch-size", "1"], ["batch_size 1", "of each process", "--batch-size 2"]),
        (["--preprocess", "none"], ["preprocess", "resize_and_crop"]),
        (["--gan-loss", "lsgan"], ["--gan-loss"]),
        (["--attributes", "blond"], ["attributes blond", "--labels FILE"]),
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


def test_a_run_does_not_go_on_with_domains_of_other_names(within: Command, coats: Path) -> None:
    small = ["--image-size", "16", "--ngf", "4", "--ndf", "4", "--blocks", "1", "--batch-size", "2"]
    within("train", "stargan", "--data", "coats", "--steps", "1", "--device", "cpu", *small)
    table = coats.parent / "list.csv"
    table.write_text("name,old,wild\n" + "".join(f"train/brown/000{i}.png,{i % 2},0\n" for i in range(6)))
    init = ["train", "stargan", "--data", "coats", "--init", "runs/stargan", "--out", "runs/other"]
    init += ["--dry-run", "--device", "cpu"]
    error = within(*init, "--labels", "list.csv", "--attributes", "old", code=2).stderr
    assert "the domains black, brown, striped, and coats has the attributes old:" in error
    within(*init)
    for split in ("train", "test"):  # The labels would be those of other domains.
        (coats / split / "striped").rename(coats / split / "Azebra")
    error = within("train", "stargan", "--resume", "--steps", "2", code=1).stderr
    assert "the images in coats are not those" in error.splitlines()[-1]
    assert "coats has the domains Azebra, black, brown: give data" in within(*init, code=2).stderr
    shutil.rmtree(coats / "train" / "Azebra")
    error = within(*init, code=2).stderr
    assert "coats has the domains black, brown: give data" in error
    assert "--domains" not in error


def test_a_check_of_a_table_says_what_training_says(within: Command, coats: Path) -> None:
    table = coats.parent / "list.csv"
    table.write_text("name;old;wild\n" + "".join(f"train/brown/000{i}.png;{i % 2};0\n" for i in range(6)))
    check = ["data", "check", "coats", "--labels", "list.csv"]
    report = within(*check, "--attributes", "old", code=3).stdout  # Other images are not in the table.
    assert "stargan would use 6 training images, 0 validation images, 1 attribute (old)" in report
    assert "no validation images: the scores" in report
    assert "attribute 'wild' is on for none of the 6 training images" in within(*check, code=3).stdout
    table.write_text("train/brown/0000.png;a\nnobody.png;b\n")
    assert "row 2: no image 'nobody.png' in coats" in within(*check, code=2).stderr


def test_a_check_names_folders_that_are_no_domains(within: Command, coats: Path) -> None:
    for path in (coats / "train" / "brown").iterdir():
        path.write_bytes(b"no image")
    refused = "domain 'brown' has no training image that can be read"
    assert f"stargan cannot use it: {refused}" in within("data", "check", "coats", code=3).stdout
    (coats / "train" / "brown").rename(coats / "train" / "all")
    refused = "domain 'all' has the name of the target for all"
    assert f"stargan cannot use it: {refused}" in within("data", "check", "coats", code=3).stdout
