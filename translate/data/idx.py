"""IDX files, in which MNIST and the sets made after it come (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.images import picture_name

UNSIGNED_BYTES = 8  # IDX's number for them, the only kind that pictures and labels come in
MOST = 2**31  # bytes that a file may unfold to

Bytes = npt.NDArray[np.uint8]


def find_idx(folder: Path) -> list[tuple[Path, Path | None]]:
    """The IDX files of pictures in a folder, each with that of their labels if it is there.

    Where some are for training by their names, those alone.
    """
    images = sorted(path for path in folder.iterdir() if "idx3" in path.name and path.is_file())
    images = [path for path in images if path.name.startswith("train")] or images
    return [(path, _labels_of(path)) for path in images]


def _labels_of(images: Path) -> Path | None:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    places = (images.with_name(name), images.with_name(plain), images.with_name(f"{plain}.gz"))
    return next((path for path in places if path.is_file()), None)


def read_idx(path: Path, dimensions: int) -> Bytes:
    """The array that a file holds, packed by gzip or not.

    Raises:
        DataError: it is no IDX file of bytes in so many dimensions, or is cut short.
    """
    name = picture_name(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} cannot be read: {error}") from None
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise DataError(f"{name} is no IDX file of bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    count = int(np.prod(shape, dtype=object))
    if len(content) - header < count or len(content) > MOST:
        raise DataError(f"{name} is cut short, or too large: it speaks of {count} bytes")
    return np.frombuffer(content, np.uint8, count, header).reshape(shape)
