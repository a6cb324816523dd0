"""Write tensors to a safetensors file atomically."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from translate.storage import atomic_path


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write contiguous CPU tensors to a safetensors file, without a copy in memory.

    Args:
        metadata: texts for the file's header.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    try:
        with atomic_path(path) as part:
            safetensors.torch.save_file(dict(tensors), part, dict(metadata) if metadata else None)
    except safetensors.SafetensorError as error:  # It wraps the operating system's error.
        raise OSError(errno.EIO, str(error).removeprefix("Error while serializing: ")) from None
