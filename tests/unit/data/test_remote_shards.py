"""Tar files where only fsspec reaches are copied into the cache folder, within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pytest

from tests.unit.data.making import find_tars, write_photos
from translate.data.discovery.shards import GIGABYTE
from translate.images import read_rgb


@pytest.fixture
def cache(own_cache: Path) -> Path:
    return own_cache / "shards"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path)


@pytest.fixture
def elsewhere(photos: Path) -> Iterator[str]:
    """The same tar files where only fsspec reaches."""
    system = fsspec.filesystem("memory")
    for path in sorted(photos.glob("*.tar")):
        system.pipe_file(f"/set/{path.name}", path.read_bytes())
    yield "memory://set/*.tar"
    system.rm("/set", recursive=True)


def test_shards_from_elsewhere_are_copied_once_and_bounded(
    elsewhere: str, photos: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {member.name: read_rgb(member) for member in find_tars(photos).members}
    size = (photos / "000.tar").stat().st_size
    members = find_tars(elsewhere, 2.5 * size / GIGABYTE).members
    assert [member.name for member in members] == list(here)
    for member in members:
        assert np.array_equal(read_rgb(member), here[member.name])
        assert 1 <= len(list(cache.glob("*.tar"))) <= 2
    assert not list(cache.glob("*.part"))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "get_file", None)
    assert np.array_equal(read_rgb(members[-1]), here[members[-1].name])


def test_a_copy_that_goes_as_it_is_asked_for_is_made_again(
    elsewhere: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = find_tars(elsewhere).members
    first, used = read_rgb(members[0]), os.utime

    def goes(copy: Path) -> None:
        monkeypatch.setattr(os, "utime", used)
        copy.unlink()
        used(copy)

    monkeypatch.setattr(os, "utime", goes)
    assert np.array_equal(read_rgb(members[0]), first)  # a file left open is a warning, and so an error
    assert os.utime is used


def test_without_room_an_image_is_read_from_where_it_lies(elsewhere: str, photos: Path, cache: Path) -> None:
    members = find_tars(elsewhere, 0).members
    assert np.array_equal(read_rgb(members[3]), read_rgb(find_tars(photos).members[3]))
    assert not list(cache.glob("*.tar"))
