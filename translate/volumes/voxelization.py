"""Read meshes by trimesh, and voxelize them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from translate.errors import DataError

MAX_TRIANGLES = 2_000_000
MARGIN = 1  # Empty voxels around a mesh.
SPACING = 0.5  # In voxels: the longest side of the triangles whose corners are the samples of a surface.

Triangles = NDArray[np.float64]  # (N, 3, 3): the corners, and their coordinates x, y and z.


def read_mesh(path: Path) -> tuple[Triangles, bool]:
    """Read the triangles of a mesh; return them, and whether its surface has holes.

    Raises:
        DataError: the file is damaged, holds no triangles or too many, or has no extent.
    """
    import trimesh

    try:
        mesh = trimesh.load(path, force="mesh", skip_materials=True)
        triangles, is_closed = np.asarray(mesh.triangles, np.float64), bool(mesh.is_watertight)
    except Exception as error:  # trimesh raises exceptions of many types.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise DataError(f"it cannot be read as a mesh: {reason}") from None
    if not 0 < len(triangles) <= MAX_TRIANGLES:
        raise DataError(
            f"it has {len(triangles)} triangles, but must have 1 to {MAX_TRIANGLES}: export it again"
        )
    if not np.isfinite(triangles).all() or not np.ptp(triangles, axis=(0, 1)).any():
        raise DataError("its corners are not finite, or all in one place: export it again")
    return triangles, not is_closed


def voxelize(triangles: Triangles, size: int, *, fill: bool = True) -> NDArray[np.bool_]:
    """Voxelize a mesh, scaled to a cube of `size` voxels a side with a small margin, and centred in it.

    A voxel is occupied if the surface passes through it or, with `fill`, if the surface encloses it. No
    voxels that share a face are on both sides of a surface: between their centers, the surface crosses one of
    the two, less than `SPACING` from each corner of one of the small triangles, so that this corner is in one
    of the two.
    """
    # Imported here because importing SciPy's filters takes long.
    from scipy.ndimage import binary_fill_holes  # type: ignore[import-untyped]

    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    scale = (size - 2 * MARGIN) / (high - low).max()
    points = _sample_surface((triangles - (low + high) / 2) * scale + size / 2)
    volume = np.zeros((size, size, size), bool)
    volume[tuple(np.clip(points.astype(int), MARGIN, size - MARGIN - 1).T)] = True
    return np.asarray(binary_fill_holes(volume)) if fill else volume


def _sample_surface(triangles: Triangles) -> NDArray[np.float64]:
    """Split triangles at the middle of their longest side until they are small.

    Returns:
        The corners of the small triangles, (P, 3).
    """
    points = []
    while len(triangles):
        sides = np.linalg.norm(np.roll(triangles, -1, axis=1) - triangles, axis=2)  # From corner i to i + 1.
        is_small = sides.max(axis=1) <= SPACING
        points.append(triangles[is_small].reshape(-1, 3))
        large, longest = triangles[~is_small], sides[~is_small].argmax(axis=1)
        order = (longest[:, None] + np.arange(3)) % 3  # The longest side is then the first one.
        a, b, c = np.take_along_axis(large, order[..., None], axis=1).transpose(1, 0, 2)
        middle = (a + b) / 2
        triangles = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
    return np.concatenate(points)
