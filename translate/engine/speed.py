"""What makes a step quick on the machine at hand, without changing what it computes."""

from __future__ import annotations

import shutil

import torch
from torch import nn

from translate.config import TrainConfig
from translate.losses import ImagePool

WORTH_COMPILING_STEPS, WORTH_COMPILING_MINUTES = 2000, 30


def memory_format(c: TrainConfig, device: torch.device) -> torch.memory_format:
    """channels_last on a GPU and in compiled code; plain elsewhere, where eager norms are quicker so."""
    last = device.type == "cuda" or wants_compiling(c, device)
    return torch.channels_last if last else torch.contiguous_format


def wants_compiling(c: TrainConfig, device: torch.device) -> bool:
    """`--compile on`, or auto where it gains: a GPU or a CPU with AMX, a compiler, a run long enough."""
    if c.compile != "auto":
        return c.compile == "on"
    gains = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    if c.minutes:
        long = c.minutes >= WORTH_COMPILING_MINUTES
    else:
        long = c.steps is None or c.steps >= WORTH_COMPILING_STEPS
    return gains and long and not c.deterministic and has_compiler()


def has_compiler() -> bool:
    return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))


def prepare(trainer: nn.Module, c: TrainConfig, device: torch.device) -> str:
    """Compile the networks where that is wanted; a few words on what was chosen."""
    if not wants_compiling(c, device):
        return f"{device}, not compiled"
    for network in trainer.children():
        if not isinstance(network, ImagePool):
            network.compile()
    return f"{device}, compiled (the first steps take a minute or more)"
