"""Read files of voxels (.npy, .binvox) and of meshes (.off, .obj, .stl) as volumes of one size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from translate.errors import DataError, require_packages
from translate.images import printable_path
from translate.volumes.binvox import read_binvox
from translate.volumes.voxelization import read_mesh, voxelize

Volume = NDArray[np.bool_]  # (S, S, S), True where it is occupied; the axes are x, y and z, and y points up.

MESH_SUFFIXES = (".off", ".obj", ".stl")
SUFFIXES = (".npy", ".binvox", *MESH_SUFFIXES)
MAX_SIDE = 256  # Voxels; what a file says to be larger is refused before its voxels are read.
MIN_OCCUPANCY = 0.5  # Floats from here on are occupied.
EXTRA = "volumes"  # The extra of this package that installs trimesh and matplotlib.


@dataclass(frozen=True)
class VolumeFile:
    """A volume as it was read from a file.

    Attributes:
        volume: (S, S, S).
        side: the longest side of the file's voxels; S for a mesh.
        has_holes: whether it is a mesh with holes, of which only the surface is occupied.
    """

    volume: Volume
    side: int
    has_holes: bool = False


def read_volume(path: Path, size: int) -> VolumeFile:
    """Read a file as a volume of `size` voxels a side.

    Voxels that are fewer are centred in an empty cube. A mesh is scaled to the cube and filled.

    Raises:
        DataError: the file is damaged, has more voxels a side than `size`, or nothing in it is occupied.
        UsageError: it is a mesh, and trimesh is not installed.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in MESH_SUFFIXES:
            require_packages(EXTRA, f"to read {printable_path(path)}", "trimesh")
            triangles, has_holes = read_mesh(path)
            return VolumeFile(voxelize(triangles, size, fill=not has_holes), size, has_holes)
        voxels = read_binvox(path, MAX_SIDE) if suffix == ".binvox" else _read_npy(path)
        if not voxels.any():
            raise DataError("none of its voxels is occupied: remove it")
        return VolumeFile(_center(voxels, size), max(voxels.shape))
    except DataError as error:
        raise DataError(f"{printable_path(path)}: {error}") from None
    except OSError as error:
        raise DataError(f"{printable_path(path)}: cannot be read: {error.strerror}") from None


def _read_npy(path: Path) -> Volume:
    """Read the array of a .npy file: booleans, integers (0 is empty), or floats from 0 to 1.

    Raises:
        DataError: the file holds no such array, or one of more than `MAX_SIDE` a side.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:  # numpy.load would also read archives.
            raise DataError("it is no array of voxels: save it by numpy.save")
    try:
        # Memory-mapped, so that a header cannot ask for memory.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy raises exceptions of many types for a damaged header.
        raise DataError(f"it is no array of voxels ({_first_line(error)}): save it by numpy.save") from None
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise DataError(
            f"it holds {array.dtype} of shape {array.shape}, but must hold numbers of shape (X, Y, Z)"
        )
    if not 0 < min(array.shape) <= max(array.shape) <= MAX_SIDE:
        raise DataError(f"its shape is {array.shape}, but each side must be from 1 to {MAX_SIDE} voxels")
    if array.dtype.kind != "f":
        return np.asarray(array != 0)
    if not (array >= 0).all() or not (array <= 1).all():  # Written this way, NaN is refused, too.
        raise DataError("its floats are not occupancy from 0 to 1: save it as 0 and 1")
    return np.asarray(array >= MIN_OCCUPANCY)


def _center(voxels: Volume, size: int) -> Volume:
    """Center voxels in an empty cube.

    Raises:
        DataError: they are more than fit.
    """
    if max(voxels.shape) > size:
        sides = " x ".join(map(str, voxels.shape))
        larger = "use --image-size 64, or " if size < max(voxels.shape) <= 64 else ""
        raise DataError(f"it has {sides} voxels, more than {size} a side: {larger}resample it")
    before = [(size - side) // 2 for side in voxels.shape]
    return np.pad(voxels, [(b, size - side - b) for b, side in zip(before, voxels.shape, strict=True)])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
