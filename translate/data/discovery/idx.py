"""IDX files, the format of MNIST and the data sets made after it (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.images import printable_path

UNSIGNED_BYTES = 8  # IDX's number for them, the only type that images and labels come in
MAX_BYTES = 2**31  # that a file may decompress to

Bytes = npt.NDArray[np.uint8]


def find_idx(folder: Path) -> list[tuple[Path, Path | None]]:
    """Find the IDX files of images in a folder, each with that of its labels if it is there.

    Where some are for training by their names, only these are returned.
    """
    images = sorted(path for path in folder.iterdir() if "idx3" in path.name and path.is_file())
    images = [path for path in images if path.name.startswith("train")] or images
    return [(path, _find_labels(path)) for path in images]


def _find_labels(images: Path) -> Path | None:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    candidates = (images.with_name(name), images.with_name(plain), images.with_name(f"{plain}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path, dimensions: int) -> Bytes:
    """Read the array that an IDX file holds, compressed by gzip or not.

    Raises:
        DataError: it is no IDX file of bytes in so many dimensions, or is cut short.
    """
    name = printable_path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} cannot be read: {error}") from None
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise DataError(f"{name} is no IDX file of bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    count = int(np.prod(shape, dtype=object))  # As Python's integers, because a product of int64 overflows.
    if len(content) - header < count or len(content) > MAX_BYTES:
        raise DataError(f"{name} is cut short, or too large: it speaks of {count} bytes")
    return np.frombuffer(content, np.uint8, count, header).reshape(shape)
