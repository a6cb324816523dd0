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
from translate.storage import write_whole

State = dict[str, Any]


def save(state: State, path: Path) -> None:
    """Write a state so that after a crash at any moment `path` is absent, or whole.

    Raises:
        TranslateError: the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _flatten(state, tensors)
    content = safetensors.torch.save(tensors, metadata={"state": json.dumps(skeleton)})
    try:
        write_whole(path, content)
    except OSError as error:
        raise TranslateError(
            f"cannot write the checkpoint {path} ({len(content) / 2**20:.0f} MiB): {error.strerror};"
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
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_flatten(item, tensors) for item in value]
    return value


def _unflatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unflatten(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    return {key: _unflatten(item, tensors) for key, item in value["dict"]}
