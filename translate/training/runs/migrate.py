"""Checkpoints of earlier formats, brought to the present one. Keys that are gone are dropped here only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from translate.errors import DataError

FORMAT_VERSION = 2
POOLS = (
    "the run was started by an earlier version: from here on its image pools draw otherwise than they would"
    " have there"
)
State = dict[str, Any]


def migrate_checkpoint(state: State, generators: Sequence[str]) -> tuple[State, list[str]]:
    """Return a checkpoint's state in the present format, and what a person should know of it.

    Args:
        generators: the names of the trainer's generators now.

    Raises:
        DataError: it is of a format that is not known yet.
    """
    version = state.get("format_version", 1)
    if version == FORMAT_VERSION:
        return state, []
    if version != 1:
        raise DataError(
            f"the checkpoint has format_version {version!r}, where {FORMAT_VERSION} is the newest known:"
            " use a newer version of translate"
        )
    notes: list[str] = []
    migrated = {
        "format_version": FORMAT_VERSION,
        "generators": {name: _network(name, state["trainer"]) for name in generators},
        "step": state["step"],
        "seconds": state["seconds"],
        "best": state["best"],
        "history": state.get("looks", []),
        "data": state["data"],
        "trainer": _trainer(state["trainer"], notes),
        "optimizers": state["optimizers"],
        "ema": _ema(state["averaged"], generators),
        "scaler": state["scaler"],
        "random": state["random"],
        "others": [_other_process(other) for other in state.get("others", [])],
    }
    return migrated, notes


def _network(generator: str, trainer: State) -> str:
    """Return how the trainers of that time called the network that became a generator of the model."""
    return {"AtoB": "g_ab", "BtoA": "g_ba"}[generator] if "g_ab" in {k[:4] for k in trainer} else "g"


def _trainer(old: State, notes: list[str]) -> State:
    """Return the trainer's tensors: image pools as tensors, and without frozen backbones."""
    new: State = {}
    for name, value in old.items():
        if name.endswith("._extra_state"):
            pool = name.removesuffix("._extra_state")
            new |= _pool(pool, value["images"])
            notes[:] = [POOLS]
        elif not name.startswith("features.backbone."):
            new[name] = value
    return new


def _pool(name: str, images: list[Tensor]) -> State:
    """Return the state of an image pool that was a list; one tensor holds images of one size."""
    fitting = [image for image in images if image.shape == images[0].shape]
    stored = torch.stack(fitting) if fitting else torch.empty(0)
    return {f"{name}.images": stored, f"{name}.count": torch.tensor(len(fitting))}


def _ema(old: State, generators: Sequence[str]) -> State:
    """Return the averages under the generators' names of now: one generator was called by its direction."""
    names = {key.split(".")[1] for key in old}
    if len(names) != 1 or len(generators) != 1:
        return old
    (before,), (now,) = names, generators
    return {key.replace(f"copies.{before}.", f"copies.{now}.", 1): value for key, value in old.items()}


def _other_process(old: State) -> State:
    pools: State = {}
    for name, value in old.get("pools", {}).items():
        pools |= _pool(name, value["images"])
    return {"random": old["random"], "buffers": pools}
