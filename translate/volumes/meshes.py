"""Extract the surface of a volume by marching cubes, and write it as .obj or .stl."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from translate.errors import DataError
from translate.images import printable_path
from translate.storage import atomic_write

LEVEL = 0.5  # The occupancy on the surface.
STL_HEADER = b"a binary STL written by translate".ljust(80)
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])

Mesh = tuple[
    NDArray[np.float32], NDArray[np.int32]
]  # Corners, (V, 3), and triangles of their numbers, (T, 3).


def surface_mesh(occupancy: NDArray[np.floating]) -> Mesh | None:
    """Return the surface of a volume, (S, S, S) in [0, 1], as a closed mesh in the cube from 0 to 1.

    Returns:
        The mesh, whose triangles are counter-clockwise from outside; None if no voxel is occupied.
    """
    # Imported here because importing scikit-image's measures takes long.
    from skimage.measure import marching_cubes

    if not occupancy.max() > LEVEL:
        return None
    # Without empty voxels around it, the surface would be open where the shape touches a side of the cube.
    corners, triangles, _, _ = marching_cubes(np.pad(occupancy, 1), LEVEL, gradient_direction="ascent")
    return np.asarray((corners - 0.5) / len(occupancy), np.float32), np.asarray(triangles, np.int32)


def write_mesh(mesh: Mesh, path: Path) -> None:
    """Write a mesh as .obj or as binary .stl, by the suffix of the path.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    content = _to_stl(*mesh) if path.suffix.lower() == ".stl" else _to_obj(*mesh)
    try:
        atomic_write(path, content)
    except OSError as error:
        raise DataError(f"{printable_path(path)}: cannot be written: {error.strerror}") from None


def _to_obj(corners: NDArray[np.float32], triangles: NDArray[np.int32]) -> bytes:
    text = io.StringIO()
    np.savetxt(text, corners, fmt="v %.6g %.6g %.6g")
    np.savetxt(text, triangles + 1, fmt="f %d %d %d")  # Its numbers begin at 1.
    return text.getvalue().encode()


def _to_stl(corners: NDArray[np.float32], triangles: NDArray[np.int32]) -> bytes:
    records = np.zeros(len(triangles), STL_TRIANGLE)
    a, b, c = corners[triangles].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records["normal"] = normals / np.maximum(lengths, 1e-12)
    records["corners"] = corners[triangles]
    return STL_HEADER + len(records).to_bytes(4, "little") + records.tobytes()
