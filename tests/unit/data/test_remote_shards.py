"""Remote tar files are copied into the cache folder, whose size is limited."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pytest

from tests.unit.data.tar_files import find_tars, write_photos
from translate.data.discovery.shards import GIGABYTE
from translate.images import read_rgb


@pytest.fixture
def copies(own_cache: Path) -> Path:
    """The folder of the local copies."""
    return own_cache / "shards"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path)


@pytest.fixture
def remote(photos: Path) -> Iterator[str]:
    """The URL of the same tar files in fsspec's memory file system, which stands for a remote one."""
    system = fsspec.filesystem("memory")
    for path in sorted(photos.glob("*.tar")):
        system.pipe_file(f"/set/{path.name}", path.read_bytes())
    yield "memory://set/*.tar"
    if system.exists("/set"):
        system.rm("/set", recursive=True)


def test_remote_shards_are_copied_once_and_the_copies_stay_within_the_limit(
    remote: str, photos: Path, copies: Path
) -> None:
    expected = {member.name: read_rgb(member) for member in find_tars(photos).members}
    size = (photos / "000.tar").stat().st_size
    members = find_tars(remote, 2.5 * size / GIGABYTE).members
    assert [member.name for member in members] == list(expected)
    for member in members:
        assert np.array_equal(read_rgb(member), expected[member.name])
        assert 1 <= len(list(copies.glob("*.tar"))) <= 2
    assert not list(copies.glob("*.part"))
    fsspec.filesystem("memory").rm("/set", recursive=True)
    assert np.array_equal(read_rgb(members[-1]), expected[members[-1].name])


def test_a_copy_that_another_process_removes_is_made_again(remote: str, copies: Path) -> None:
    members = find_tars(remote).members
    first = read_rgb(members[0])
    for copy in copies.glob("*.tar"):
        copy.unlink()
    assert np.array_equal(read_rgb(members[0]), first)


def test_a_copy_that_is_removed_just_before_it_is_opened_is_made_again(
    remote: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = find_tars(remote).members
    first, utime = read_rgb(members[0]), os.utime

    def remove_and_mark(copy: Path) -> None:
        monkeypatch.setattr(os, "utime", utime)
        copy.unlink()
        utime(copy)

    # Reading sets the time of the copy just before it opens it. No other hook lies between the two.
    monkeypatch.setattr(os, "utime", remove_and_mark)
    assert np.array_equal(
        read_rgb(members[0]), first
    )  # A file left open would be a warning, and so an error.
    assert os.utime is utime


def test_without_space_for_a_copy_images_are_read_from_the_remote_file(
    remote: str, photos: Path, copies: Path
) -> None:
    members = find_tars(remote, 0).members
    assert np.array_equal(read_rgb(members[3]), read_rgb(find_tars(photos).members[3]))
    assert not list(copies.glob("*.tar"))
