"""Read IDX files, the format of MNIST and of datasets modelled on it (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translate.errors import DataError
from translate.images import printable_path

UINT8_TYPE = 8  # The type code of unsigned bytes, the only type that image and label files use.
MAX_BYTES = 2**31  # The maximum decompressed size of a file.
EXAMPLES = {3: "train-images-idx3-ubyte.gz", 1: "train-labels-idx1-ubyte.gz"}  # By number of dimensions.

Bytes = npt.NDArray[np.uint8]


def find_idx(folder: Path) -> list[tuple[Path, Path | None]]:
    """Find the IDX image files in a folder, each with its label file, or None if there is none.

    If the names of some files start with `train`, only these are returned.
    """
    images = sorted(path for path in folder.iterdir() if "idx3" in path.name and path.is_file())
    images = [path for path in images if path.name.startswith("train")] or images
    return [(path, _find_labels(path)) for path in images]


def _find_labels(images: Path) -> Path | None:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    stem = name.removesuffix(".gz")
    candidates = (images.with_name(name), images.with_name(stem), images.with_name(f"{stem}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_idx(path: Path, dimensions: int) -> Bytes:
    """Read the uint8 array of an IDX file, which may be compressed with gzip.

    Raises:
        DataError: the file is not an IDX file of bytes with this number of dimensions, or is truncated.
    """
    name = printable_path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} cannot be read ({error}): download it again") from None
    header_size = 4 + 4 * dimensions
    if len(content) < header_size or content[:4] != bytes([0, 0, UINT8_TYPE, dimensions]):
        raise DataError(
            f"{name} is not an IDX file of bytes with {dimensions} dimensions:"
            f" give a file such as {EXAMPLES[dimensions]}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:header_size])
    size = int(np.prod(shape, dtype=object))  # Python integers, because a product of int64 may overflow.
    if len(content) > MAX_BYTES:
        raise DataError(f"{name} has more than {MAX_BYTES} bytes, the limit: split it, or give image files")
    if len(content) - header_size < size:
        raise DataError(f"{name} is truncated (its header announces {size} bytes of data): download it again")
    return np.frombuffer(content, np.uint8, size, header_size).reshape(shape)
