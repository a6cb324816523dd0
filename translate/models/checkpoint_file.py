"""Read the tensors of a checkpoint file of another program: `.pth`, `.ckpt` and `.safetensors`.

No other module opens a pickle, and this one only loads tensors from it (`weights_only=True`).
"""

from __future__ import annotations

import mmap
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from translate.errors import DataError, UsageError

REMEDY = "give a generator's own state_dict, such as latest_net_G.pth"
# What files of other kinds are, and what to do, by their first bytes and by their suffix.
ARCHIVE = "an archive: unpack it, and give the checkpoint that it holds"
TENSORFLOW = "a file of TensorFlow, which translate cannot read: give a checkpoint of PyTorch"
FIRST_BYTES = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: fetch it by git lfs pull",
    b"<!doctype html": "a web page, not a checkpoint: download the file itself",
    b"<html": "a web page, not a checkpoint: download the file itself",
    b"\x89HDF": "a file of Keras (HDF5), which translate cannot read: give a checkpoint of PyTorch",
    b"\x1f\x8b": ARCHIVE,
    b"7z\xbc\xaf": ARCHIVE,
    b"Rar!": ARCHIVE,
}
SUFFIXES = {
    ".onnx": "a file of ONNX, which holds no training weights: give the checkpoint that it was exported from",
    ".t7": "a file of Lua Torch, which translate cannot read: give a checkpoint of PyTorch",
    **dict.fromkeys((".pb", ".tflite", ".index", ".meta", ".keras"), TENSORFLOW),
}


def read_checkpoint(path: Path) -> Any:
    """Read a file that contains only tensors, nested in dicts and lists.

    Raises:
        UsageError: the file cannot be opened.
        DataError: it is empty or damaged, is of another kind, or contains other objects than tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}; {REMEDY}") from None
    if not head:
        raise DataError(f"{path} is empty: copy or download it again")
    kinds = [kind for start, kind in FIRST_BYTES.items() if head.lower().startswith(start.lower())]
    for kind in (*kinds, *(SUFFIXES[s] for s in (path.suffix.lower(),) if s in SUFFIXES)):
        raise DataError(f"{path} is {kind}")
    try:
        if head[8:9] == b"{":  # A safetensors file: the length of its header, then the header as JSON.
            return safetensors.torch.load_file(path)
        return _load_pickle(path)
    except DataError:
        raise
    except Exception as error:  # torch raises exceptions of many types for a damaged or malicious file.
        raise DataError(f"cannot import {path}: {_describe_failure(path, str(error))}") from None


def _load_pickle(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        _check_archive(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about old file formats, which it can read.
        return torch.load(path, weights_only=True, map_location="cpu")


def _check_archive(path: Path) -> None:
    """Refuse zip archives that torch.save did not write.

    Raises:
        DataError: it is a TorchScript archive, or another one.
        zipfile.BadZipFile: it has compressed members, which torch never writes: it may be a zip bomb.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = {member.filename.rpartition("/")[2] for member in members}
    if "data.pkl" not in names:
        raise DataError(f"{path} is {ARCHIVE}")
    if "constants.pkl" in names:
        load = f"torch.jit.load({path.name!r}, map_location='cpu')"
        raise DataError(f"cannot import {path}: it is a TorchScript archive: {_way_out(load)}")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise zipfile.BadZipFile("compressed")


def _describe_failure(path: Path, error: str) -> str:
    """Return why torch does not load a file, and what to do."""
    found = re.search(r"GLOBAL ([\w.]+)", error)
    if not found:
        return f"it is damaged, or no checkpoint of PyTorch; {REMEDY}"
    load = f"torch.load({path.name!r}, map_location='cpu', weights_only=False)"
    if _contains(path, b"torch.nn.modules"):
        if _holds_dict(path):
            way_out = _way_out(load, state_dict="model['model'].state_dict()")
            return (
                f"it is a dict with a whole model (class {found[1]}), which could run code: {way_out},"
                " with the model's key in place of 'model'"
            )
        return f"it is a whole model (class {found[1]}), which could run code: {_way_out(load)}"
    way_out = _way_out(load, state_dict="model['state_dict']")
    return (
        f"it contains an object of the class {found[1]}, which could run code: {way_out},"
        " with the generator's key in place of 'state_dict'"
    )


def _way_out(load: str, state_dict: str = "model.state_dict()") -> str:
    """Return how to save the state dict of a network, given how its code loads the file."""
    return (
        "where the code is that it comes from, run"
        f" `model = {load}; torch.save({state_dict}, 'generator.pth')` and import generator.pth"
    )


def _holds_dict(path: Path) -> bool:
    """Return whether the object in a file of torch.save is a dict, without loading it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        with archive.open(name) as pickled:
            return pickled.read(3)[2:] == b"}"  # EMPTY_DICT, behind the version of the protocol.


def _contains(path: Path, text: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0
