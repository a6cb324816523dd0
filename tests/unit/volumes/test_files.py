"""Voxels of .npy and .binvox files, and meshes, as volumes of one size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from translate.errors import DataError, UsageError
from translate.volumes import read_volume

RNG = np.random.default_rng(0)


def save(path: Path, array: Any) -> Path:
    np.save(path, array, allow_pickle=True)
    return path


def binvox(voxels: np.ndarray, dims: str = "") -> bytes:
    """Return the content of a .binvox file: runs of at most 255 voxels, y fastest, then z, then x."""
    flat = voxels.transpose(0, 2, 1).ravel().astype(np.uint8)
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1), len(flat)]
    runs = b""
    for start, end in pairwise(edges):
        for first in range(start, end, 255):
            runs += bytes([flat[start], min(255, end - first)])
    x, y, z = voxels.shape
    header = f"#binvox 1\ndim {dims or f'{x} {z} {y}'}\ntranslate 0 0 0\nscale 1\ndata\n"
    return header.encode() + runs


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_voxels_of_the_size_are_read_as_they_are(dtype: type, tmp_path: Path) -> None:
    voxels = RNG.random((32, 32, 32)) < 0.3
    file = read_volume(save(tmp_path / "a.npy", voxels.astype(dtype)), 32)
    assert file.volume.dtype == np.bool_
    assert np.array_equal(file.volume, voxels)
    assert (file.side, file.has_holes) == (32, False)


def test_floats_are_occupied_from_one_half_on(tmp_path: Path) -> None:
    voxels = np.full((8, 8, 8), 0.49)
    voxels[0, 0, 0] = 0.5
    assert np.argwhere(read_volume(save(tmp_path / "a.npy", voxels), 8).volume).tolist() == [[0, 0, 0]]


def test_fewer_voxels_are_centred_in_an_empty_cube(tmp_path: Path) -> None:
    file = read_volume(save(tmp_path / "a.npy", np.ones((4, 8, 5), bool)), 8)
    low, high = (limit(np.argwhere(file.volume), axis=0).tolist() for limit in (np.min, np.max))
    assert (low, high) == ([2, 0, 1], [5, 7, 5])
    assert file.side == 8


def test_a_binvox_file_has_the_axes_x_y_z(tmp_path: Path) -> None:
    voxels = RNG.random((7, 5, 6)) < 0.4
    (tmp_path / "a.binvox").write_bytes(binvox(voxels))
    volume = read_volume(tmp_path / "a.binvox", 7).volume
    assert np.array_equal(volume[:, 1:6, :6], voxels)
    assert volume.sum() == voxels.sum()


def test_long_runs_of_a_binvox_file(tmp_path: Path) -> None:
    voxels = np.zeros((16, 16, 16), bool)
    voxels[:, :9] = True
    (tmp_path / "a.binvox").write_bytes(binvox(voxels))
    assert np.array_equal(read_volume(tmp_path / "a.binvox", 16).volume, voxels)


GOOD = binvox(np.ones((4, 4, 4), bool))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no header"),
        (b"P6\n1 1\n", "no header"),
        (GOOD.replace(b"data", b"date"), "no header"),
        (b"#binvox 1\n" + b"x" * 5000, "no header"),
        (GOOD.replace(b"dim 4 4 4", b"dim 4 4"), "dim '4 4'"),
        (GOOD.replace(b"dim 4 4 4", b"dim 4 4 -4"), "dim '4 4 -4'"),
        (GOOD.replace(b"dim 4 4 4", b"dim 99999 99999 99999"), "from 1 to 256"),
        (GOOD.replace(b"dim 4 4 4", b"dim 4 4 5"), "4 x 5 x 4"),
        (GOOD[:-1], "runs"),
        (GOOD + b"\x01\xff", "runs"),
        (GOOD[:-2] + b"\x02\x40", "runs"),
        (binvox(np.zeros((4, 4, 4), bool)), "none of its voxels"),
    ],
)
def test_a_damaged_binvox_file_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.binvox").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.binvox: .*") as error:
        read_volume(tmp_path / "a.binvox", 32)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((4, 4)), "(4, 4)"),
        (np.ones((1, 4, 4, 4)), "(1, 4, 4, 4)"),
        (np.ones((4, 4, 4), complex), "complex128"),
        (np.array([[["a"]]]), "<U1"),
        (np.array([[[{}]]], object), "array"),
        (np.zeros((4, 4, 4)), "none of its voxels"),
        (np.full((4, 4, 4), np.nan), "from 0 to 1"),
        (np.full((4, 4, 4), 1.5), "from 0 to 1"),
        (np.ones((1, 1, 257), bool), "from 1 to 256"),
        (np.ones((33, 4, 4), bool), "33 x 4 x 4 voxels, more than 32 a side: use --image-size 64"),
        (np.ones((65, 4, 4), bool), "more than 32 a side: resample it"),
    ],
)
def test_an_array_that_is_no_volume_is_refused_in_one_line(array: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.npy: ") as error:
        read_volume(save(tmp_path / "a.npy", array), 32)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x93NUMPY\x01\x00\x04\x00{'a'", b"PK\x03\x04", b"\x80\x04."]
)
def test_a_file_that_is_no_array_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy: "):
        read_volume(tmp_path / "a.npy", 32)


def test_a_header_that_asks_for_more_memory_than_the_file_has_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.ones((100, 100, 100), bool))
    path.write_bytes(path.read_bytes().replace(b"(100, 100, 100)", b"(900, 900, 900)"))
    with pytest.raises(DataError, match=r"a\.npy: it is no array"):
        read_volume(path, 32)


def test_without_trimesh_a_mesh_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "a.obj").touch()
    with pytest.raises(UsageError, match=r"a\.obj.*trimesh.*translate-images\[volumes\]"):
        read_volume(tmp_path / "a.obj", 32)
