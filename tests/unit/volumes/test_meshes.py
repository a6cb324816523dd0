"""Voxelization of meshes, their extraction from volumes, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from translate.data.shapes import draw_shape
from translate.errors import DataError
from translate.volumes import read_volume, surface_mesh, write_mesh
from translate.volumes.voxelization import voxelize

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def box(x: float, y: float, z: float) -> NDArray[np.float64]:
    """Return the triangles of a box with these sides."""
    return (CUBE * [x, y, z])[FACES]


def signed_volume(corners: NDArray[np.floating], triangles: NDArray[np.int32]) -> float:
    """Return the volume of a closed mesh, which is negative if its triangles are inside out."""
    a, b, c = corners[triangles].astype(np.float64).transpose(1, 0, 2)
    return float((np.cross(a, b) * c).sum() / 6)


@pytest.mark.parametrize("size", [32, 64])
def test_a_mesh_is_scaled_to_the_cube_with_a_margin_and_filled(size: int) -> None:
    volume = voxelize(1000 + 7 * box(1, 0.5, 0.25), size)
    low, high = np.argwhere(volume).min(axis=0), np.argwhere(volume).max(axis=0)
    sides = high - low + 1
    assert (low[0], sides[0]) == (1, size - 2)
    assert sides.tolist() == pytest.approx([size - 2, (size - 2) / 2, (size - 2) / 4], abs=2)
    assert np.abs(low + high - (size - 1)).max() <= 1, "it is centred"
    assert volume.sum() == sides.prod(), "it is solid"


def test_the_fill_of_a_thin_tilted_shell_does_not_leak() -> None:
    angles = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, 0.28, -0.96], [0, 0.96, 0.28]]
    )
    tilted = box(1, 0.9, 0.8) @ angles.T
    filled, shell = voxelize(tilted, 32), voxelize(tilted, 32, fill=False)
    assert shell.sum() < 0.6 * filled.sum()
    scale = 30 / np.ptp(tilted, axis=(0, 1)).max()
    assert filled.sum() == pytest.approx(0.72 * scale**3 + shell.sum() / 2, rel=0.1)


def test_the_surface_of_a_volume_is_closed_and_has_its_volume() -> None:
    volume = draw_shape("tables", 0, 0, 32)
    corners, triangles = surface_mesh(volume.astype(np.float32))
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1
    )
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert signed_volume(corners, triangles) == pytest.approx(volume.mean(), rel=0.1)
    for axis in range(3):
        used = np.flatnonzero(volume.any(axis=tuple({0, 1, 2} - {axis})))
        assert corners[:, axis].min() == pytest.approx(used[0] / 32, abs=1e-6)
        assert corners[:, axis].max() == pytest.approx((used[-1] + 1) / 32, abs=1e-6)


def test_a_full_volume_has_a_closed_surface_and_an_empty_one_has_none() -> None:
    assert surface_mesh(np.zeros((8, 8, 8), np.float32)) is None
    assert signed_volume(*surface_mesh(np.ones((8, 8, 8), np.float32))) == pytest.approx(1, rel=0.1)


def test_the_files_of_a_mesh(tmp_path: Path) -> None:
    corners, triangles = surface_mesh(draw_shape("chairs", 0, 0, 32).astype(np.float32))
    for suffix in ("obj", "stl"):
        write_mesh((corners, triangles), tmp_path / f"a.{suffix}")
    lines = [line.split() for line in (tmp_path / "a.obj").read_text().splitlines()]
    numbers = {key: [list(map(float, line[1:])) for line in lines if line[0] == key] for key in "vf"}
    assert np.allclose(numbers["v"], corners, atol=1e-5)
    assert np.array_equal(numbers["f"], triangles + 1)
    content = (tmp_path / "a.stl").read_bytes()
    assert int.from_bytes(content[80:84], "little") == len(triangles)
    records = np.frombuffer(content[84:], np.dtype([("values", "<f4", (4, 3)), ("rest", "<u2")]))
    assert np.array_equal(records["values"][:, 1:], corners[triangles])
    assert np.linalg.norm(records["values"][:, 0], axis=1) == pytest.approx(1, abs=1e-5)


def test_meshes_are_read_by_trimesh(tmp_path: Path) -> None:
    pytest.importorskip("trimesh", reason="trimesh is not installed: pip install 'translate-images[volumes]'")
    corners, triangles = surface_mesh(draw_shape("tables", 0, 0, 32).astype(np.float32))
    for suffix in ("obj", "stl"):
        write_mesh((corners, triangles), tmp_path / f"a.{suffix}")
        file = read_volume(tmp_path / f"a.{suffix}", 32)
        assert np.array_equal(file.volume, voxelize(corners[triangles].astype(np.float64), 32))
        assert not file.has_holes
    write_mesh((corners, triangles[40:]), tmp_path / "open.obj")
    assert read_volume(tmp_path / "open.obj", 32).has_holes
    (tmp_path / "bad.off").write_text("OFF\n3 1")
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n")
    for name in ("bad.off", "flat.obj"):
        with pytest.raises(DataError, match=name):
            read_volume(tmp_path / name, 32)
