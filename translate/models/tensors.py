"""Tensors in a safetensors file, written whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from translate.storage import atomic_path


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Write contiguous tensors of a CPU, straight from where they lie in memory.

    Args:
        about: words for the file's header.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    try:
        with atomic_path(path) as part:
            safetensors.torch.save_file(dict(tensors), part, dict(about) if about else None)
    except safetensors.SafetensorError as error:  # the disk's reason, in other words
        raise OSError(errno.EIO, str(error).removeprefix("Error while serializing: ")) from None
