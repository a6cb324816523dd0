"""A picture is written whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translate.errors import DataError
from translate.images import Picture, read, write
from translate.images.picture import WRITABLE


def picture(height: int = 40, width: int = 60, *, alpha: bool = False) -> Picture:
    """A smooth picture, which lossy formats keep well."""
    rows, columns = np.mgrid[:height, :width]
    rgb = np.dstack([rows * 4 % 256, columns * 3 % 256, (rows + columns) * 2 % 256]).astype(np.uint8)
    return Picture(rgb=rgb, alpha=rgb[..., 0] if alpha else None)


@pytest.mark.parametrize("suffix", sorted(WRITABLE))
def test_every_suffix_is_written_in_its_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "sub" / ("a" + suffix.upper())
    write(picture(), path)
    with Image.open(path) as image:
        assert image.format == WRITABLE[suffix]
    difference = np.abs(read(path).rgb.astype(int) - picture().rgb)
    assert difference.mean() < (3 if suffix in (".jpg", ".jpeg", ".jfif", ".webp") else 1e-9)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".bmp"])
def test_alpha_is_kept_where_the_format_has_it(suffix: str, tmp_path: Path) -> None:
    write(picture(alpha=True), tmp_path / f"a{suffix}")
    alpha = read(tmp_path / f"a{suffix}").alpha
    if suffix in (".jpg", ".bmp"):
        assert alpha is None
    else:
        assert np.array_equal(alpha, picture(alpha=True).alpha)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_the_colour_profile_is_kept(suffix: str, tmp_path: Path) -> None:
    write(Picture(rgb=picture().rgb, icc=b"a profile"), tmp_path / f"a{suffix}")
    assert read(tmp_path / f"a{suffix}").icc == b"a profile"


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.gif"])
def test_a_format_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write this format: use \.bmp, "):
        write(picture(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write(picture(), tmp_path / "a.png")
    write(picture(), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def half(_: Image.Image, part: Path, **__: object) -> None:
    part.write_bytes(b"half")
    full()


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("kind", "call", "failing"), [(Image.Image, "save", half), (Path, "replace", full)])
def test_a_full_disk_leaves_the_earlier_file_whole(
    kind: type, call: str, failing: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write(picture(), path)
    before = path.read_bytes()
    monkeypatch.setattr(kind, call, failing)
    with pytest.raises(DataError, match=r"a\.png: cannot be written: No space left on device$"):
        write(picture(8, 8), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        write(picture(), tmp_path / "out" / "a.png")


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_a_picture_too_long_for_its_format_is_told(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written") as refusal:
        write(Picture(rgb=np.zeros((1, 65536, 3), np.uint8)), tmp_path / f"a{suffix}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["ü–字.png", "a\nb.png", "x" * 251 + ".png"])
def test_any_name_can_be_written(name: str, tmp_path: Path) -> None:
    write(picture(), tmp_path / name)
    assert np.array_equal(read(tmp_path / name).rgb, picture().rgb)
