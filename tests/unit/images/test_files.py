"""Which files of a folder are images."""

from __future__ import annotations

from pathlib import Path

import pytest

from translate.images import SUFFIXES, find_images, printable_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/deep/c.webp", ".hidden.png", ".trash/d.png", "out/e.png", "f.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(root: Path, **settings) -> list[str]:
    return [str(path.relative_to(root)) for path in find_images(root, **settings)]


def test_images_are_found_below_a_folder_in_order_without_hidden_ones(root: Path) -> None:
    assert found(root) == ["a.JPG", "b.png", "out/e.png", "sub/deep/c.webp"]


def test_the_output_folder_can_be_left_out(root: Path) -> None:
    assert found(root, skip=root / "sub" / ".." / "out") == ["a.JPG", "b.png", "sub/deep/c.webp"]


def test_a_loop_of_links_is_not_walked(root: Path) -> None:
    (root / "sub" / "up").symlink_to(root)
    assert found(root) == ["a.JPG", "b.png", "out/e.png", "sub/deep/c.webp"]


def test_a_link_to_an_image_is_one(root: Path) -> None:
    (root / "link.png").symlink_to(root / "b.png")
    assert "link.png" in found(root)


def test_a_folder_that_is_called_like_an_image_is_none(root: Path) -> None:
    (root / "folder.png").mkdir()
    assert "folder.png" not in found(root)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_suffixes_count_in_any_case(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix.upper()}").touch()
    assert found(tmp_path) == [f"a{suffix.upper()}"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("plain ü.png", "plain ü.png"),
        ("a\nb\x1b[2J.png", r"a\nb\x1b[2J.png"),
        ("bad\udcff.png", r"bad\udcff.png"),
    ],
)
def test_names_in_messages_have_no_control_characters(name: str, told: str) -> None:
    assert printable_path(Path(name)) == told
