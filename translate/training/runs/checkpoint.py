"""The checkpoint format: the whole state of a run in one safetensors file, written atomically.

The keys are `format_version`, `step`, `seconds`, `best`, `history` (validation scores), `data` (the
dataset's fingerprint), `settings` (those of the training), `stage` and `initial_backbones` (those of the
discriminators behind the models of `--init`), from the loop; and `trainer` (all weights), `generators`
(their names in it), `optimizers`, `ema`, `scaler`, `random` (states of the random generators) and `others`
(states of the other processes), from the stepper. `migrate.py` brings older formats up to date.

Tensors are stored under the names 0, 1, 2, ..., and the structure as JSON in the file's metadata, beside a
checksum of both. No pickle is involved, so loading a file from a stranger runs no code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from translate.errors import DataError, TranslateError
from translate.models.tensors import write_tensors

State = dict[str, Any]


class DamagedCheckpointError(DataError):
    """A checkpoint whose file is not as it was written.

    Attributes:
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the checkpoint {path} is damaged ({reason}): --resume takes the one before it")
        self.reason = reason


def save(state: State, path: Path) -> None:
    """Save a checkpoint; after a crash at any moment, the file is complete or absent.

    Raises:
        TranslateError: the disk is full, or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_flatten(state, tensors))
    try:
        write_tensors(path, tensors, {"state": skeleton, "crc32": _checksum(skeleton, tensors)})
    except OSError as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise TranslateError(
            f"cannot write the checkpoint {path} ({size / 2**20:.0f} MiB): {error.strerror};"
            " earlier checkpoints are intact: make room and continue with --resume"
        ) from None


def load(path: Path) -> State:
    """Load a checkpoint.

    Raises:
        DamagedCheckpointError: the file is damaged.
        TranslateError: the file may not be read.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state: State = _unflatten(json.loads(metadata["state"]), tensors)
    except PermissionError as error:
        raise TranslateError(f"cannot read the checkpoint {path}: {error.strerror}: allow it") from None
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpointError(path, " ".join(str(error).split())) from None
    # Checkpoints from before there was a checksum have none.
    if metadata.get("crc32", "") not in ("", _checksum(metadata["state"], tensors)):
        raise DamagedCheckpointError(path, "its checksum differs")
    return state


def _checksum(skeleton: str, tensors: Mapping[str, Tensor]) -> str:
    """Return a checksum of the structure and of the tensors, which must be contiguous."""
    checksum = zlib.crc32(skeleton.encode())
    for name, tensor in sorted(tensors.items()):
        checksum = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), checksum)
        checksum = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, checksum)
    return f"{checksum:08x}"


def _flatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON, and add its tensors to `tensors`.

    Dicts become lists of pairs, because JSON would turn their integer keys (optimizer state) into strings.
    Tuples come back as lists.
    """
    if isinstance(value, Tensor):
        name, tensor = str(len(tensors)), value.detach().cpu()
        # Kept, so that a resumed run computes bit for bit the same.
        channels_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
        channels_last = channels_last and not tensor.is_contiguous()
        tensors[name] = _make_storable(tensor.permute(0, 2, 3, 1) if channels_last else tensor, tensors)
        return {"tensor": name, "channels": "last"} if channels_last else {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_flatten(item, tensors) for item in value]
    return value


def _make_storable(tensor: Tensor, others: dict[str, Tensor]) -> Tensor:
    """Return a tensor as safetensors can store it: contiguous, and not sharing memory with another one.

    It is copied only if necessary, because copies of all tensors would double the memory.
    """
    tensor = tensor.contiguous()
    is_view = tensor.untyped_storage().nbytes() != tensor.nbytes
    is_shared = any(tensor.data_ptr() == other.data_ptr() for other in others.values())
    return tensor.clone() if is_view or is_shared else tensor


def _unflatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Invert `_flatten`."""
    if isinstance(value, list):
        return [_unflatten(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        return tensor.permute(0, 3, 1, 2) if value.get("channels") == "last" else tensor
    return {key: _unflatten(item, tensors) for key, item in value["dict"]}
