"""Folders of datasets are recognized, the test set is never trained on, and joined files are not misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images import noise
from tests.integration.conftest import Command
from translate.data.discovery.labels import find_labeled

TINY = [
    *("--image-size=32", "--ngf=2", "--ndf=2", "--workers=0", "--batch-size=2", "--device=cpu"),
    *("--precision=fp32", "--compile=off", "--cache-size=0", "--steps=1"),
]
PIX2PIX = ("train", "pix2pix", "--levels=2", "--d-layers=1", *TINY)


def write(root: Path, *folders: str, count: int = 3, width: int = 32, height: int = 32) -> Path:
    """Write images of noise to folders, under the same names in each; return the root."""
    for number, folder in enumerate(folders):
        for image in range(count):
            noise(root / folder / f"{image}.png", height, width, seed=10 * number + image)
    return root


def check(within: Command, *arguments: str, code: int = 0) -> str:
    return within("data", "check", *arguments, code=code).stdout


PAIRS = [
    ("A", "B"),
    ("input", "target"),
    ("images", "masks"),
    ("Image", "Labels"),
    ("source", "output"),
    ("inputs", "Ground-Truth"),
]
PATTERNS = ["{d}", "Train/{d}", "{d}/training", "train_{d}", "{d}_TRAIN"]


@pytest.mark.parametrize(
    ("pattern", "a", "b"),
    [*(("train/{d}", *pair) for pair in PAIRS), *((pattern, "images", "masks") for pattern in PATTERNS)],
)
def test_two_folders_of_a_layout_are_pairs_and_it_is_said_which_is_a(
    pattern: str, a: str, b: str, within: Command, tmp_path: Path
) -> None:
    names = [pattern.format(d=domain) for domain in (a, b)]
    write(tmp_path / "data", *names)
    output = check(within, "data")
    assert "pix2pix would use 2 training pairs, 1 validation pairs\n" in output
    assert "cyclegan would use 2 + 2 training images" in output
    assert f"A is data/{names[0]}, B is data/{names[1]}" in output


@pytest.mark.parametrize(
    ("pattern", "held_out"),
    [
        *(("{s}/{d}", name) for name in ("val", "Valid", "validation", "TESTING", "test_set", "val2017")),
        *((pattern, "test") for pattern in ("{d}/{s}", "{s}{d}", "{d}_{s}")),
        ("{s}_{d}", "val2017"),
    ],
)
def test_images_for_validation_are_not_for_training_in_any_layout(
    pattern: str, held_out: str, within: Command, tmp_path: Path
) -> None:
    for subset, count in (("train", 4), (held_out, 2)):
        write(tmp_path / "data", *(pattern.format(s=subset, d=domain) for domain in "AB"), count=count)
    output = check(within, "data")
    assert "pix2pix would use 4 training pairs, 2 validation pairs\n" in output
    assert "cyclegan would use 4 + 4 training images, 2 + 2 validation images\n" in output
    assert f"validation: data/{pattern.format(s=held_out, d='A')} and" in output
    both = check(within, "--domainA", "data/A", "--domainB", "data/B") if pattern == "{d}/{s}" else output
    assert "pix2pix would use 4 training pairs, 2 validation pairs\n" in both


@pytest.mark.parametrize(
    ("val", "test", "train"),
    [
        ("val", "test", ""),
        ("Valid", "Testing", "Training"),
        ("cats/val", "cats/test", "cats"),
        ("cats/val", "cats/test", "cats/train"),
    ],
)
def test_photos_and_images_for_a_gan_leave_both_val_and_test_out_of_training(
    val: str, test: str, train: str, within: Command, tmp_path: Path
) -> None:
    for folder, count in ((val, 2), (test, 3), (train, 4)):
        write(tmp_path / "data", folder, count=count)
    output = check(within, "data")
    assert "colorize and inpaint would use 4 training photos, 2 validation photos\n" in output
    assert "dcgan and other recipes from noise would use 4 training images\n" in output
    assert f"validation: data/{val}; not used: data/{test}" in output


@pytest.mark.parametrize(
    ("recipe", "used"), [("colorize", "4 training photos, 2 validation photos"), ("dcgan", "4")]
)
def test_the_test_set_of_two_domains_is_not_trained_on_by_recipes_of_one(
    recipe: str, used: str, within: Command, tmp_path: Path
) -> None:
    write(tmp_path / "data", "trainA", "trainB", count=2)
    write(tmp_path / "data", "testA", "testB", count=1)
    flags = ("--image-size=32", "--batch-size=2", "--workers=0", "--device=cpu", "--dry-run")
    output = within("train", recipe, "--data=data", *flags).stdout
    assert f"data: {used}" in output
    assert "data/testA, data/testB" in output


def test_a_test_set_that_cannot_serve_for_validation_is_not_used_and_named(
    within: Command, tmp_path: Path
) -> None:
    write(tmp_path / "data", "train/input", "train/target", "test/input")
    assert "not used: data/test/input\n" in check(within, "data")
    write(tmp_path / "data", "val/input", "val/target")
    assert "validation: data/val/input and data/val/target; not used: data/test/input\n" in check(
        within, "data"
    )


def test_sub_folders_are_classes_in_every_layout_of_training_and_test(
    within: Command, tmp_path: Path
) -> None:
    write(tmp_path / "flat", "cats", "dogs")
    write(tmp_path / "inside", "cats/train", "dogs/train", "cats/test")
    write(tmp_path / "outside", "Train/cats", "Train/dogs", "Test/cats")
    for data in ("flat", "inside", "outside"):
        images = find_labeled(str(tmp_path / data), with_classes=True)
        assert images.summary == "6 training images in 2 classes"


def test_unknown_sub_folders_of_the_same_names_are_not_cut_in_half(within: Command, tmp_path: Path) -> None:
    write(tmp_path / "data", "train/photo", "train/sketch", width=64)
    error = within(*PIX2PIX, "--data=data", code=2).stderr
    assert "--domainA data/train/photo --domainB data/train/sketch" in error
    assert (
        "--domainA data/train/photo --domainB data/train/sketch"
        in within("train", "cyclegan", "--data=data", code=2).stderr
    )
    assert "pix2pix cannot use it: data/train/photo and data/train/sketch" in check(within, "data")


def test_more_than_two_folders_that_could_be_a_and_b_are_refused(within: Command, tmp_path: Path) -> None:
    write(tmp_path / "data", "images", "masks", "labels")
    error = within(*PIX2PIX, "--data=data", code=2).stderr
    assert "data/images, data/masks, data/labels" in error
    assert "--domainA" in error


def test_square_images_are_not_read_as_joined_files(within: Command, tmp_path: Path) -> None:
    write(tmp_path / "data", "train")
    error = within(*PIX2PIX, "--data=data", code=2).stderr
    assert "3 of 3 files" in error
    assert "32 x 32" in error
    assert "--domainA" in error


def test_joined_files_of_another_shape_are_warned_of_with_their_number(
    within: Command, tmp_path: Path
) -> None:
    write(tmp_path / "all", "", count=4, width=86)
    write(tmp_path / "some", "", count=4, width=64)
    noise(tmp_path / "some" / "x.png", 32, 40)
    assert "4 of 4 files" in within(*PIX2PIX, "--data=all", "--dry-run").stdout
    assert "1 of 5 files" in within(*PIX2PIX, "--data=some", "--dry-run").stdout
    assert "4 of 4 files" in check(within, "all")  # Photos of any shape are no problem for other recipes.
    assert "some/x.png, 40 x 32" in check(within, "some", code=3)


def test_names_that_differ_in_case_or_in_an_ending_are_paired_and_it_is_said(
    within: Command, tmp_path: Path
) -> None:
    for number in range(3):
        noise(tmp_path / "case" / "A" / f"IMG_{number}.JPG")
        noise(tmp_path / "case" / "B" / f"img_{number}.jpg")
        noise(tmp_path / "ending" / "input" / f"{number:03}.png")
        noise(tmp_path / "ending" / "target" / f"{number:03}_mask.png")
        noise(tmp_path / "both" / "A" / f"x{number}_A.png")
        noise(tmp_path / "both" / "B" / f"x{number}_B.png")
        noise(tmp_path / "start" / "images" / f"img{number}.png")
        noise(tmp_path / "start" / "masks" / f"mask_{number}.png")
        noise(tmp_path / "none" / "A" / f"horse{number}.png")
        noise(tmp_path / "none" / "B" / f"zebra{number}.png")
    for data, said in (
        ("case", "IMG_0.JPG and img_0.jpg"),
        ("ending", "'_mask' of B"),
        ("both", "'_a' of A"),
        ("start", "'mask_' of B"),
    ):
        output = check(within, data)
        assert "pix2pix would use 2 training pairs, 1 validation pairs\n" in output
        assert said in output
    output = check(within, "none")
    assert "none/A/horse0.png and none/B/zebra0.png" in output
    assert "cyclegan would use" in output


def test_two_folders_are_checked_like_a_dataset(within: Command, tmp_path: Path) -> None:
    write(tmp_path, "day", "night", count=4)
    (tmp_path / "night" / "3.png").unlink()
    (tmp_path / "night" / "2.png").write_bytes(b"no image")
    flags = ("--domainA", "day", "--domainB", "night")
    output = check(within, *flags, code=3)
    assert "A is day, B is night" in output
    assert "without a partner in night" in output
    assert "day/3.png" in output
    assert "night/2.png: not an image" in output
    assert "give --domainB" in within("data", "check", "--domainA", "day", code=2).stderr
    assert "no data" in within("data", "check", code=2).stderr
