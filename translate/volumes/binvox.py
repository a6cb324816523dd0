"""Read .binvox files: voxels as run lengths (https://www.patrickmin.com/binvox/binvox.html)."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from translate.errors import DataError

MAGIC, END_OF_HEADER = b"#binvox 1\n", b"\ndata\n"
MAX_HEADER = 1000  # Bytes.


def read_binvox(path: Path, max_side: int) -> NDArray[np.bool_]:
    """Read the voxels of a file, (X, Y, Z).

    Raises:
        DataError: the header is damaged or asks for more than `max_side` voxels a side, or the runs do not
            add up to what it says.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        header, end, _ = file.read(MAX_HEADER).partition(END_OF_HEADER)
        if not header.startswith(MAGIC) or not end:
            raise DataError("it has no header of a .binvox file: convert it again")
        sides = _parse_sides(header, max_side)
        file.seek(len(header) + len(end))
        runs = np.frombuffer(file.read(2 * prod(sides) + 1), np.uint8)  # At most one run for each voxel.
    values, lengths = runs[::2], runs[1::2]
    if len(values) != len(lengths) or (values > 1).any() or lengths.sum(dtype=np.int64) != prod(sides):
        raise DataError(
            f"its runs are not the {' x '.join(map(str, sides))} voxels of its header: convert it again"
        )
    # In the file, y varies fastest, then z, then x.
    x, y, z = sides
    return np.repeat(values, lengths).astype(bool).reshape(x, z, y).transpose(0, 2, 1)


def _parse_sides(header: bytes, max_side: int) -> tuple[int, int, int]:
    """Return the number of voxels along x, y and z."""
    line = next((line for line in header.split(b"\n") if line.startswith(b"dim ")), b"dim")
    words = line.decode("ascii", "replace").split()[1:]
    sides = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 6]
    if len(words) != 3 or len(sides) != 3 or not 0 < min(sides) <= max(sides) <= max_side:
        raise DataError(f"its header has dim {' '.join(words)!r}, but needs 3 numbers from 1 to {max_side}")
    x, z, y = sides  # The order of the file.
    return x, y, z
