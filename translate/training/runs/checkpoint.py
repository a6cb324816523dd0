"""Checkpoints: the whole state of a run in one safetensors file, whole or not at all.

Nested dicts and lists are flattened: tensors go by number into the file's body, the rest as
JSON into its header. No pickle: a checkpoint from elsewhere runs no code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from translate.errors import DataError, TranslateError
from translate.models.tensors import write_tensors

State = dict[str, Any]


def save(state: State, path: Path) -> None:
    """Write a state so that after a crash at any moment `path` is absent, or whole.

    Raises:
        TranslateError: the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _flatten(state, tensors)
    try:
        write_tensors(path, tensors, {"state": json.dumps(skeleton)})
    except OSError as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise TranslateError(
            f"cannot write the checkpoint {path} ({size / 2**20:.0f} MiB): {error.strerror};"
            " earlier checkpoints are whole: make room and go on with --resume"
        ) from None


def load(path: Path) -> State:
    """Read a state back.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            skeleton = json.loads(file.metadata()["state"])
            state: State = _unflatten(skeleton, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a whole checkpoint ({error}): remove it and --resume") from None
    return state


def _flatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    """JSON for everything but tensors, which go into `tensors`; dict keys keep their type."""
    if isinstance(value, Tensor):
        name, tensor = str(len(tensors)), value.detach().cpu()
        last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
        last = last and not tensor.is_contiguous()
        tensors[name] = _alone(tensor.permute(0, 2, 3, 1) if last else tensor, tensors)
        return {"tensor": name, "channels": "last"} if last else {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_flatten(item, tensors) for item in value]
    return value


def _alone(tensor: Tensor, others: dict[str, Tensor]) -> Tensor:
    """The tensor as a file holds it: in order, and sharing its memory with no other. Copied only where
    it must be: a copy of all would take as much memory again as the state.
    """
    tensor = tensor.contiguous()
    part = tensor.untyped_storage().nbytes() != tensor.nbytes
    again = any(tensor.data_ptr() == other.data_ptr() for other in others.values())
    return tensor.clone() if part or again else tensor


def _unflatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unflatten(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        return tensor.permute(0, 3, 1, 2) if value.get("channels") == "last" else tensor
    return {key: _unflatten(item, tensors) for key, item in value["dict"]}
