"""The built-in synthetic set of shapes: chairs, tables, lamps and shelves of boxes and cylinders.

Lengths and positions are fractions of the side of the cube. The axes are x, y and z; y points up, and z to
the front. A shape stands on the floor, centred in x and z.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from translate.errors import UsageError
from translate.storage import atomic_path

Volume = NDArray[np.uint8]
Interval = tuple[float, float]
FLOOR = 0.06  # The height of the lowest voxels.


class Canvas:
    """A volume of `size` voxels a side, in which boxes and upright cylinders are drawn."""

    def __init__(self, size: int) -> None:
        self.volume = np.zeros((size, size, size), np.uint8)
        centers = (np.arange(size) + 0.5) / size
        self.x, self.y, self.z = centers[:, None, None], centers[:, None], centers

    def box(self, x: Interval, y: Interval, z: Interval) -> None:
        """Draw a box, at least one voxel thick."""
        self.volume[self._between(self.x, x) & self._between(self.y, y) & self._between(self.z, z)] = 1

    def cylinder(self, y: Interval, radius: float, top_radius: float | None = None) -> None:
        """Draw an upright cylinder in the middle, or a cone with another radius at the top."""
        share = (self.y - y[0]) / (y[1] - y[0])
        radii = radius + ((radius if top_radius is None else top_radius) - radius) * share
        is_inside = np.hypot(self.x - 0.5, self.z - 0.5) <= radii
        self.volume[is_inside & self._between(self.y, y)] = 1

    def _between(self, centers: NDArray[np.float64], interval: Interval) -> NDArray[np.bool_]:
        low, high = interval
        middle, half = (low + high) / 2, max(high - low, 1 / len(self.volume)) / 2
        return np.asarray(np.abs(centers - middle) <= half)


def draw_chair(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw a chair: four legs, a seat, a back that is closed or of bars, and sometimes arms."""
    width, depth = rng.uniform(0.38, 0.62), rng.uniform(0.38, 0.6)
    seat, top = rng.uniform(0.34, 0.48), rng.uniform(0.78, 0.94)
    leg, thickness = rng.uniform(0.06, 0.1), rng.uniform(0.06, 0.1)
    x, z = _centered(width), _centered(depth)
    _draw_legs(canvas, x, z, (FLOOR, seat), leg)
    canvas.box(x, (seat, seat + thickness), z)
    back = (z[0], z[0] + thickness)
    if rng.random() < 0.5:
        canvas.box(x, (seat, top), back)
    else:
        for bar in np.linspace(x[0], x[1] - leg, rng.integers(3, 5)):
            canvas.box((bar, bar + leg), (seat, top), back)
        canvas.box(x, (top - thickness, top), back)
    if rng.random() < 0.3:
        arm = seat + rng.uniform(0.16, 0.24)
        for side in (x[0], x[1] - leg):
            canvas.box((side, side + leg), (arm, arm + 0.07), z)
            canvas.box((side, side + leg), (seat, arm), (z[1] - leg, z[1]))


def draw_table(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw a table: a rectangular top on four legs, or a round one on a column with a foot."""
    height, thickness = rng.uniform(0.4, 0.68), rng.uniform(0.06, 0.1)
    if rng.random() < 0.35:
        radius = rng.uniform(0.3, 0.45)
        canvas.cylinder((height - thickness, height), radius)
        canvas.cylinder((FLOOR, height), rng.uniform(0.05, 0.09))
        canvas.cylinder((FLOOR, FLOOR + 0.07), radius * rng.uniform(0.5, 0.7))
        return
    x, z = _centered(rng.uniform(0.55, 0.9)), _centered(rng.uniform(0.4, 0.7))
    _draw_legs(canvas, x, z, (FLOOR, height), rng.uniform(0.06, 0.11))
    canvas.box(x, (height - thickness, height), z)
    if rng.random() < 0.4:
        shelf = rng.uniform(0.18, 0.26)
        canvas.box(x, (shelf, shelf + 0.06), z)


def draw_lamp(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw a floor lamp: a round or square foot, a pole, and a shade that narrows to the top."""
    top, shade = rng.uniform(0.84, 0.95), rng.uniform(0.2, 0.32)
    foot, radius = rng.uniform(0.13, 0.22), rng.uniform(0.16, 0.28)
    if rng.random() < 0.5:
        canvas.cylinder((FLOOR, FLOOR + 0.08), foot)
    else:
        canvas.box(_centered(2 * foot), (FLOOR, FLOOR + 0.08), _centered(2 * foot))
    canvas.cylinder((FLOOR, top - shade / 2), rng.uniform(0.04, 0.06))
    canvas.cylinder((top - shade, top), radius, radius * rng.uniform(0.45, 0.9))


def draw_shelf(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw a shelf: two sides, two to four boards between them, and sometimes a back."""
    x, z = _centered(rng.uniform(0.4, 0.75)), _centered(rng.uniform(0.24, 0.4))
    top, thickness = rng.uniform(0.66, 0.94), rng.uniform(0.055, 0.08)
    for side in (x[0], x[1] - thickness):
        canvas.box((side, side + thickness), (FLOOR, top), z)
    for board in np.linspace(FLOOR, top - thickness, rng.integers(3, 6)):
        canvas.box(x, (board, board + thickness), z)
    if rng.random() < 0.6:
        canvas.box(x, (FLOOR, top), (z[0], z[0] + thickness))


KINDS: dict[str, Callable[[np.random.Generator, Canvas], None]] = {
    "chairs": draw_chair,
    "tables": draw_table,
    "lamps": draw_lamp,
    "shelves": draw_shelf,
}


def draw_shape(kind: str, seed: int, index: int, size: int) -> Volume:
    """Draw a shape of the set, (size, size, size) of 0 and 1. The same arguments give the same shape.

    Args:
        kind: one of `KINDS`.
        size: the side in voxels.
    """
    canvas = Canvas(size)
    KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind), index]), canvas)
    return canvas.volume


def write_shapes(folder: Path, *, size: int = 32, count: int = 250, seed: int = 0) -> None:
    """Write the set as .npy files of uint8 into chairs/, tables/, lamps/ and shelves/.

    Args:
        size: the side in voxels.
        count: the number of shapes of each kind.

    Raises:
        UsageError: a file holds another shape.
    """
    for kind in KINDS:
        for index in range(count):
            _save(draw_shape(kind, seed, index, size), folder / kind / f"{index:04d}.npy")


def _save(volume: Volume, path: Path) -> None:
    """Write a volume, but not over another one."""
    content = io.BytesIO()
    np.save(content, volume)
    if path.exists() and path.read_bytes() != content.getvalue():
        raise UsageError(f"{path} holds another shape: give another DIR, or remove it")
    with atomic_path(path, sync=False) as part:
        part.write_bytes(content.getvalue())


def _centered(length: float) -> Interval:
    """Return the interval of a length around the middle."""
    return 0.5 - length / 2, 0.5 + length / 2


def _draw_legs(canvas: Canvas, x: Interval, z: Interval, y: Interval, side: float) -> None:
    """Draw four square legs in the corners of a rectangle."""
    for left in (x[0], x[1] - side):
        for back in (z[0], z[1] - side):
            canvas.box((left, left + side), y, (back, back + side))
