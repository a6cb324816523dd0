"""Unreadable images are found and reported before training."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.images import noise
from translate.data.discovery.check import check_dataset, exclude_unreadable
from translate.data.discovery.find import PairedImages, Photos, UnpairedImages
from translate.data.discovery.pair import Pair
from translate.errors import DataError, UsageError


@pytest.fixture
def good(tmp_path: Path) -> list[Path]:
    return [noise(tmp_path / f"good{number}.png") for number in range(3)]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.png"
    path.write_bytes(b"")
    return path


def test_a_pair_with_an_unreadable_image_is_excluded_with_a_note(good: list[Path], bad: Path) -> None:
    images = PairedImages([Pair(good[0], good[1]), Pair(good[2], bad)], [Pair(bad)], ["a note"])
    readable = exclude_unreadable(images)
    assert readable.train == [Pair(good[0], good[1])]
    assert readable.validation == []
    assert readable.notes[0] == "a note"
    assert f"{bad}: the file is empty" in readable.notes[1]
    assert len(readable.notes) == 2


def test_an_unreadable_image_of_a_domain_is_excluded_with_a_note(good: list[Path], bad: Path) -> None:
    readable = exclude_unreadable(UnpairedImages(([good[0], bad], [good[1]]), ([bad], [good[2]])))
    assert readable.train == ([good[0]], [good[1]])
    assert readable.validation == ([], [good[2]])
    assert len(readable.notes) == 1


def test_readable_images_are_not_excluded(good: list[Path]) -> None:
    images = PairedImages([Pair(path) for path in good], [])
    assert exclude_unreadable(images) == images


def test_the_errors_of_files_that_were_checked_before_are_used(good: list[Path]) -> None:
    readable = exclude_unreadable(Photos(good, []), {good[0]: "a known error", good[1]: ""})
    assert readable.train == good[1:]
    assert "a known error" in readable.notes[0]


@pytest.mark.parametrize("unpaired", [True, False])
def test_a_dataset_without_readable_training_images_is_refused(
    unpaired: bool, good: list[Path], bad: Path
) -> None:
    images: PairedImages | UnpairedImages = PairedImages([Pair(bad)], [Pair(good[0])])
    if unpaired:
        images = UnpairedImages((good, [bad]), ([], []))
    with pytest.raises(
        DataError, match=r"no training image .*bad\.png: the file is empty.*translate data check"
    ):
        exclude_unreadable(images)


def test_a_dataset_with_validation_images_only_is_refused(good: list[Path]) -> None:
    with pytest.raises(DataError, match="training images"):
        exclude_unreadable(Photos([], good))


def test_a_truncated_jpeg_is_unreadable(tmp_path: Path, good: list[Path]) -> None:
    path = noise(tmp_path / "cut.jpg", 64, 64)
    path.write_bytes(path.read_bytes()[:-400])
    readable = exclude_unreadable(PairedImages([Pair(good[0]), Pair(path)], []))
    assert readable.train == [Pair(good[0])]
    assert "cut.jpg" in readable.notes[0]


def test_a_check_reports_what_each_recipe_would_use_and_all_problems(tmp_path: Path) -> None:
    for domain, names in {"A": "123", "B": "124"}.items():
        for name in names:
            noise(tmp_path / domain / f"{name}.png")
    (tmp_path / "A" / "1.png").write_bytes(b"no image")
    result = check_dataset(str(tmp_path))
    assert result.lines[:2] == [
        "pix2pix would use 0 training pairs, 1 validation pairs",
        "cyclegan would use 1 + 2 training images, 1 + 1 validation images",
    ]
    problems = "\n".join(result.problems)
    assert len(result.problems) == 3
    assert all(name in problems for name in ("A/1.png: not an image", "A/3.png", "B/4.png"))
    assert set(result.problems) <= set(result.lines)


def test_a_check_of_a_flat_folder_reports_every_recipe_that_could_use_it(tmp_path: Path) -> None:
    for number in range(20):
        noise(tmp_path / f"{number}.png")
    pix2pix, photos, from_noise, cyclegan = check_dataset(str(tmp_path)).lines
    assert pix2pix.startswith("pix2pix would use 19 training pairs, 1 validation pairs")
    assert photos == "colorize and inpaint would use 19 training photos, 1 validation photos"
    assert from_noise == "dcgan and other recipes from noise would use 20 training images"
    assert cyclegan.startswith("cyclegan cannot use it: ")


def test_a_problem_of_all_recipes_is_reported_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for number in range(3):
            tar.add(noise(tmp_path / f"{number}.png", 32, 64), f"{number}.png")
    for number in range(3):
        (tmp_path / f"{number}.png").unlink()
    (tmp_path / "junk.tar").write_bytes(b"no tar file")
    result = check_dataset(str(tmp_path))
    assert len(result.problems) == 1
    assert "junk.tar: damaged" in result.problems[0]


def test_a_check_of_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no images"):
        check_dataset(str(tmp_path))
