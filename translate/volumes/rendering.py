"""Render volumes as pictures, by NumPy and SciPy alone."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from translate.images import Pixels

AZIMUTH, ELEVATION = 35.0, 25.0  # Where the picture is taken from, in degrees.
# Sides of the cube that a picture shows. From this elevation, the cube is at most
# cos 25 + sqrt 2 sin 25 = 1.504 of its sides high, whatever the azimuth, and its voxels are drawn larger.
VIEW = 1.6
VOXEL_DIAGONAL = 1.8  # At least sqrt 3, so that there are no gaps between voxels.
LIGHT = np.array([0.3, 0.65, 0.7])  # Its direction to the right, up, and towards the viewer; about 1 long.
DARKEST, BRIGHTEST = 45, 230  # Gray levels.


def render(volume: NDArray[np.bool_], side: int = 96, azimuth: float = AZIMUTH) -> Pixels:
    """Render a volume from above at an angle, in orthographic projection: (side, side, 3) uint8, on white.

    Args:
        volume: (S, S, S), True where it is occupied; y points up.
        azimuth: the angle around the y axis, in degrees.
    """
    # Imported here because importing SciPy's filters takes long.
    from scipy.ndimage import binary_erosion, gaussian_filter  # type: ignore[import-untyped]

    surface = np.argwhere(volume & ~binary_erosion(volume))
    camera = _camera_axes(azimuth)
    slopes = np.gradient(gaussian_filter(volume.astype(np.float32), 1.0))
    normals = -np.stack([slope[tuple(surface.T)] for slope in slopes], axis=1) @ camera.T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-6
    light = np.clip(normals @ LIGHT, 0, 1)
    gray = (DARKEST + (BRIGHTEST - DARKEST) * light).astype(np.uint8)
    right, up, near = ((surface - (len(volume) - 1) / 2) @ camera.T).T
    image = np.full((side, side, 3), 255, np.uint8)
    scale = side / (VIEW * len(volume))
    # Each voxel is a square. NumPy assigns in order, so that the nearest voxel, which comes last, is on top.
    order = np.argsort(near)
    square = np.arange(width := ceil(VOXEL_DIAGONAL * scale)) + (1 - width) / 2
    rows = (side / 2 - up[order] * scale)[:, None, None] + square[:, None]
    columns = (side / 2 + right[order] * scale)[:, None, None] + square
    rows, columns = np.broadcast_arrays(*(np.clip(x, 0, side - 1).astype(int) for x in (rows, columns)))
    image[rows, columns] = gray[order, None, None, None]
    return image


def _camera_axes(azimuth: float) -> NDArray[np.float64]:
    """Return the directions to the right, up and towards the viewer in x, y and z, as rows."""
    a, e = np.deg2rad(azimuth), np.deg2rad(ELEVATION)
    right = [np.cos(a), 0, -np.sin(a)]
    near = [np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]
    return np.array([right, np.cross(near, right), near])
