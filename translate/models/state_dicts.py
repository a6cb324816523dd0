"""Find the generators in the content of a checkpoint, under the keys of the CycleGAN and pix2pix authors.

A checkpoint may nest state dicts (`{"netG": {...}, "optimizer": {...}}`, Lightning's `{"state_dict": ...}`),
put prefixes before their keys (`module.`, `_orig_mod.`, `netG_A.`), or hold weights with spectral
normalization.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from translate.errors import DataError
from translate.models.architectures import name_network
from translate.models.checkpoint_file import REMEDY

StateDict = dict[str, Tensor]

WRAPPERS = ("module", "_orig_mod")  # Of DataParallel and torch.compile; they may be anywhere in a key.
CONTAINERS = ("model", "state_dict", "net", "network", "networks", "models", "weights")
MAX_NESTING = 8
# The parts of a spectral norm after the name of the layer, in old and new versions of torch.
SPECTRAL_NORMS = (
    (("weight_orig",), ("weight_u",), ("weight_v",)),
    tuple(("parametrizations", "weight", *part) for part in (("original",), ("0", "_u"), ("0", "_v"))),
)


@dataclass(frozen=True)
class _Key:
    """The place of a tensor: the names of the dicts around its state dict, and the parts of its key."""

    dicts: tuple[str, ...]
    parts: tuple[str, ...]


Tensors = dict[_Key, Tensor]


def find_generators(content: Any) -> dict[str, StateDict]:
    """Find the generators in the content of a checkpoint.

    Returns:
        State dicts under the reference's keys (`model.1.weight` of a ResNet, `model.model.0.weight` of a
        U-Net), by the name of the network: `netG_A`, or an empty string where it has none.

    Raises:
        DataError: it is no dict of tensors, or holds no generator; the message says what it holds.
    """
    if not isinstance(content, Mapping):
        raise DataError(f"it holds a {type(content).__name__}, not a dict of tensors; {REMEDY}")
    if "param_groups" in content:
        raise DataError(f"it is an optimizer's state (key 'param_groups'); {REMEDY}")
    tensors = _fold_spectral_norms(dict(_flatten(content)))
    # The layers of each network, without the two last parts of the key of its first convolution.
    places = {
        _Key(key.dicts, key.parts[:-2]): prefix for key in tensors if (prefix := _layer_prefix(key, tensors))
    }
    generators: dict[str, StateDict] = {}
    for place, prefix in places.items():
        others = [other for other in places if other != place]
        if not any(_is_inside(place, other) for other in others):
            generators[_network_name(place)] = _state_dict(tensors, place, prefix, others)
    if not generators:
        raise DataError(_describe_content(list_keys(content)))
    return generators


def list_keys(content: Mapping[Any, Any]) -> list[str]:
    """Return the keys of all tensors in nested dicts, with the names of the dicts before them."""
    return [".".join((*key.dicts, *key.parts)) for key, _ in _flatten(content)]


def _flatten(content: Mapping[Any, Any], dicts: tuple[str, ...] = ()) -> Iterator[tuple[_Key, Tensor]]:
    """Yield all tensors of nested dicts but those of optimizers."""
    for key, value in content.items():
        if isinstance(value, Tensor):
            parts = tuple(part for part in str(key).split(".") if part not in WRAPPERS)
            yield _Key(dicts, parts), value
        elif isinstance(value, Mapping) and "param_groups" not in value and len(dicts) < MAX_NESTING:
            yield from _flatten(value, (*dicts, str(key)))


def _fold_spectral_norms(tensors: Tensors) -> Tensors:
    """Replace the tensors of each spectral norm (arXiv:1802.05957) by the weight that inference uses."""
    folded = dict(tensors)
    for original, u, v in SPECTRAL_NORMS:
        for key in tensors:
            layer = key.parts[: -len(original)]
            if key.parts[-len(original) :] != original or _Key(key.dicts, layer + u) not in tensors:
                continue
            weight, left, right = (
                folded.pop(_Key(key.dicts, layer + part), None) for part in (original, u, v)
            )
            assert weight is not None
            assert left is not None
            folded[_Key(key.dicts, (*layer, "weight"))] = _normalize(weight, left, right)
    return folded


def _normalize(weight: Tensor, u: Tensor, v: Tensor | None) -> Tensor:
    """Divide a weight by its largest singular value u^T W v; torch before 1.1 did not store v.

    A transposed convolution has its output channels, the rows of W, in the second dimension. Where both
    dimensions have the length of u, the larger value is meant, because u and v maximize it.
    """
    values = []
    # A tensor of repeated storage, or without values, is refused later, and must not fill the memory here.
    is_plain = weight.layout == torch.strided and weight.nbytes <= weight.untyped_storage().nbytes()
    for rows in (weight, weight.transpose(0, 1)) if weight.ndim > 1 and is_plain else ():
        matrix = rows.flatten(1).double()
        if len(matrix) == len(u):
            product = matrix.T @ u.double()
            values.append(product.norm() if v is None else product @ v.double())
    return weight / max(values).to(weight.dtype) if values else weight


def _layer_prefix(key: _Key, tensors: Tensors) -> str:
    """Return the reference's prefix of a generator's layers if this key is its first convolution, or "".

    A ResNet starts with a 7x7 convolution behind a padding layer, a U-Net with a 4x4 convolution beside a
    level that contains the next.
    """
    shape = tensors[key].shape[2:]
    if key.parts[-2:] == ("1", "weight") and shape == (7, 7):
        return "model."
    level = _Key(key.dicts, (*key.parts[:-2], "1", "model", "1", "weight"))
    is_unet = key.parts[-2:] == ("0", "weight") and shape == (4, 4) and level in tensors
    return "model.model." if is_unet else ""


def _is_inside(place: _Key, other: _Key) -> bool:
    return place.dicts == other.dicts and place.parts[: len(other.parts)] == other.parts


def _module(place: _Key) -> _Key:
    """Return the place of the generator itself, whose layers are under `model`."""
    parts = place.parts
    while parts and parts[-1] == "model":
        parts = parts[:-1]
    return _Key(place.dicts, parts)


def _state_dict(tensors: Tensors, place: _Key, prefix: str, others: list[_Key]) -> StateDict:
    """Return the tensors of the generator whose layers are at a place; `others` are places of others."""
    module = _module(place)
    state = {}
    for key, tensor in tensors.items():
        if _is_inside(key, place):
            name = prefix + ".".join(key.parts[len(place.parts) :])
            # The same blocks have another name in some implementations.
            state[re.sub(r"^(model\.\d+)\.block\.", r"\1.conv_block.", name)] = tensor
        elif _is_inside(key, module) and not any(_is_inside(key, _module(other)) for other in others):
            state[".".join(key.parts[len(module.parts) :])] = tensor
    return state


def _network_name(place: _Key) -> str:
    return ".".join(part for part in (*place.dicts, *place.parts) if part not in CONTAINERS)


def _describe_content(keys: list[str]) -> str:
    """Return in words what a checkpoint without a generator holds."""
    if not keys:
        return f"it is empty, or holds no tensors; {REMEDY}"
    if network := name_network(keys):
        cannot = "" if "discriminator" in network else ", which translate cannot run"
        return f"it is {network} (key {keys[0]!r}){cannot}; {REMEDY}"
    expected = "'model.1.weight' (7x7) or 'model.model.0.weight' (4x4)"
    return f"its first key is {keys[0]!r}, but a generator has a convolution {expected}; {REMEDY}"


def check_tensors(state: StateDict, size: int) -> None:
    """Check that a state dict in a file of `size` bytes holds dense floating-point numbers of its own.

    Raises:
        DataError: a tensor is of another type, or the tensors are larger than the file.
    """
    for key, value in state.items():
        if value.layout != torch.strided or value.is_meta or not _has_right_dtype(key, value):
            raise DataError(f"key {key!r} holds {value.dtype}, not dense floating-point numbers; {REMEDY}")
    if sum(value.nbytes for value in state.values()) > size:
        raise DataError(
            "its tensors are larger than the file (views or repeated storage): save it again with torch.save"
        )


def _has_right_dtype(key: str, tensor: Tensor) -> bool:
    counter = key.endswith("num_batches_tracked")
    return tensor.dtype == torch.int64 if counter else tensor.is_floating_point()
