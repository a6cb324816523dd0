"""Migrate checkpoints of older format versions to the current one, the only place that knows old keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from translate.errors import DataError, TranslateError
from translate.models import read_model_config
from translate.models.feature_networks import discriminator_backbones

FORMAT_VERSION = 2
POOLS_NOTE = (
    "an earlier version of translate started this run: its image pools (--pool-size) now draw other images,"
    " so the weights will differ slightly"
)
State = dict[str, Any]
NO_STAGE = {"settings": {}, "start": 0}  # For checkpoints from before settings could change during a run.


def migrate_checkpoint(state: State, generators: Sequence[str], source: Path) -> tuple[State, list[str]]:
    """Return the state of a checkpoint in the current format, and notes for the user.

    Args:
        generators: the names of the trainer's generators.
        source: the checkpoint or its run, for the error message.

    Raises:
        DataError: the format version is newer than this one.
    """
    version = state.get("format_version", 1)
    if version == FORMAT_VERSION:
        return {"stage": NO_STAGE, "initial_backbones": _read_backbones(source), **state}, []
    if version != 1:
        raise DataError(
            f"the checkpoint in {source} has format_version {version!r}, and this translate reads up to"
            f" {FORMAT_VERSION}: install a newer version of translate"
        )
    notes: list[str] = []
    migrated = {
        "format_version": FORMAT_VERSION,
        "generators": {name: _network_name(name, state["trainer"]) for name in generators},
        "step": state["step"],
        "seconds": state["seconds"],
        "best": state["best"],
        "history": state.get("looks", []),
        "data": state["data"],
        "stage": NO_STAGE,
        "initial_backbones": [],
        "trainer": _migrate_trainer(state["trainer"], notes),
        "optimizers": state["optimizers"],
        "ema": _migrate_ema(state["averaged"], generators),
        "scaler": state["scaler"],
        "random": state["random"],
        "others": [_migrate_process(process) for process in state.get("others", [])],
    }
    return migrated, notes


def _read_backbones(run: Path) -> list[str]:
    """Return the backbones that the model of a run names, for checkpoints from before these held them."""
    with suppress(TranslateError):
        return discriminator_backbones(read_model_config(str(run)).trained_on)
    return []


def _network_name(generator: str, trainer: State) -> str:
    """Return the name that a trainer of version 1 has for the network of a generator."""
    return {"AtoB": "g_ab", "BtoA": "g_ba"}[generator] if "g_ab" in {k[:4] for k in trainer} else "g"


def _migrate_trainer(old: State, notes: list[str]) -> State:
    """Return a trainer's state without frozen backbones, and with image pools that were lists as tensors."""
    new: State = {}
    for name, value in old.items():
        if name.endswith("._extra_state"):
            pool = name.removesuffix("._extra_state")
            new |= _migrate_pool(pool, value["images"])
            notes[:] = [POOLS_NOTE]
        elif not name.startswith("features.backbone."):
            new[name] = value
    return new


def _migrate_pool(name: str, images: list[Tensor]) -> State:
    """Return the state of an image pool that was a list; the tensor holds images of one size only."""
    same_size = [image for image in images if image.shape == images[0].shape]
    stack = torch.stack(same_size) if same_size else torch.empty(0)
    return {f"{name}.images": stack, f"{name}.count": torch.tensor(len(same_size))}


def _migrate_ema(old: State, generators: Sequence[str]) -> State:
    """Return the EMA under the current names; a single generator used to be named by its direction."""
    names = {key.split(".")[1] for key in old}
    if len(names) != 1 or len(generators) != 1:
        return old
    (old_name,), (name,) = names, generators
    return {key.replace(f"copies.{old_name}.", f"copies.{name}.", 1): value for key, value in old.items()}


def _migrate_process(old: State) -> State:
    """Return the state of a further process of distributed training."""
    pools: State = {}
    for name, value in old.get("pools", {}).items():
        pools |= _migrate_pool(name, value["images"])
    return {"random": old["random"], "buffers": pools}
