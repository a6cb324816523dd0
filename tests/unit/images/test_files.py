"""Finding the image files in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from translate.images import SUFFIXES, find_images, printable_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/sub/c.webp", ".hidden.png", ".trash/d.png", "out/e.png", "f.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def find(root: Path, **options) -> list[str]:
    """Return the paths that `find_images` finds, relative to the folder."""
    return [str(path.relative_to(root)) for path in find_images(root, **options)]


def test_images_in_subfolders_are_found_and_sorted_without_hidden_ones(root: Path) -> None:
    assert find(root) == ["a.JPG", "b.png", "out/e.png", "sub/sub/c.webp"]


def test_the_output_folder_can_be_skipped(root: Path) -> None:
    assert find(root, skip=root / "sub" / ".." / "out") == ["a.JPG", "b.png", "sub/sub/c.webp"]


def test_a_loop_of_links_to_folders_is_not_followed(root: Path) -> None:
    (root / "sub" / "up").symlink_to(root)
    assert find(root) == ["a.JPG", "b.png", "out/e.png", "sub/sub/c.webp"]


def test_a_link_to_an_image_is_found(root: Path) -> None:
    (root / "link.png").symlink_to(root / "b.png")
    assert "link.png" in find(root)


def test_a_folder_with_the_suffix_of_an_image_is_not_found(root: Path) -> None:
    (root / "folder.png").mkdir()
    assert "folder.png" not in find(root)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_suffixes_match_in_any_case(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix.upper()}").touch()
    assert find(tmp_path) == [f"a{suffix.upper()}"]


@pytest.mark.parametrize(
    ("name", "printable"),
    [
        ("plain ü.png", "plain ü.png"),
        ("a\nb\x1b[2J.png", r"a\nb\x1b[2J.png"),
        ("bad\udcff.png", r"bad\udcff.png"),
    ],
)
def test_printable_paths_have_no_control_characters(name: str, printable: str) -> None:
    assert printable_path(Path(name)) == printable
