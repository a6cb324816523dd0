"""Bad images are found before training, and named."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.images import noise
from translate.data.discovery.check import inspect, without_unreadable
from translate.data.discovery.find import PairedImages, UnpairedImages
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


def test_a_pair_with_a_bad_half_is_left_out_by_name(good: list[Path], bad: Path) -> None:
    found = PairedImages([Pair(good[0], good[1]), Pair(good[2], bad)], [Pair(bad)], ["a note"])
    rest = without_unreadable(found)
    assert rest.train == [Pair(good[0], good[1])]
    assert rest.validation == []
    assert rest.notes == ["a note", f"left out, {bad}: the file is empty"]


def test_a_bad_image_of_one_kind_is_left_out_by_name(good: list[Path], bad: Path) -> None:
    rest = without_unreadable(UnpairedImages(([good[0], bad], [good[1]]), ([bad], [good[2]])))
    assert rest.train == ([good[0]], [good[1]])
    assert rest.validation == ([], [good[2]])
    assert len(rest.notes) == 1


def test_good_images_all_stay(good: list[Path]) -> None:
    found = PairedImages([Pair(path) for path in good], [])
    assert without_unreadable(found) == found


@pytest.mark.parametrize("unpaired", [True, False])
def test_a_set_without_any_good_image_is_refused(unpaired: bool, good: list[Path], bad: Path) -> None:
    found = (
        UnpairedImages((good, [bad]), ([], [])) if unpaired else PairedImages([Pair(bad)], [Pair(good[0])])
    )
    with pytest.raises(DataError, match=r"no image is left to train on.*bad\.png: the file is empty"):
        without_unreadable(found)


def test_a_truncated_jpeg_is_bad(tmp_path: Path, good: list[Path]) -> None:
    path = noise(tmp_path / "cut.jpg", 64, 64)
    path.write_bytes(path.read_bytes()[:-400])
    rest = without_unreadable(PairedImages([Pair(good[0]), Pair(path)], []))
    assert rest.train == [Pair(good[0])]
    assert "cut.jpg" in rest.notes[0]


def test_an_inspection_says_what_can_be_trained_and_what_is_wrong(tmp_path: Path) -> None:
    for side, names in {"A": "123", "B": "124"}.items():
        for name in names:
            noise(tmp_path / side / f"{name}.png")
    (tmp_path / "A" / "1.png").write_bytes(b"no image")
    report = inspect(str(tmp_path))
    assert report.lines[:2] == [
        "for pix2pix: 0 pairs to train on, 1 held out",
        "for cyclegan: 1 + 2 images to train on, 1 + 1 held out",
    ]
    assert len(report.problems) == 3
    assert set(report.problems) <= set(report.lines)


def test_what_is_wrong_for_all_kinds_is_said_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for number in range(3):
            tar.add(noise(tmp_path / f"{number}.png", 32, 64), f"{number}.png")
    for number in range(3):
        (tmp_path / f"{number}.png").unlink()
    (tmp_path / "junk.tar").write_bytes(b"no tar file")
    report = inspect(str(tmp_path))
    assert len(report.problems) == 1
    assert "junk.tar: damaged or no plain tar file" in report.problems[0]


def test_an_inspection_of_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no images"):
        inspect(str(tmp_path))
