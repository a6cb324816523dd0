"""What makes a step quick on the machine at hand, without changing what it computes."""

from __future__ import annotations

import shutil

import torch
from torch import nn

from translate.config import TrainConfig
from translate.losses import ImagePool
from translate.networks.blocks import InstanceNorm

WORTH_COMPILING_STEPS, WORTH_COMPILING_MINUTES = 2000, 30


def memory_format(trainer: nn.Module, c: TrainConfig, device: torch.device) -> torch.memory_format:
    """channels_last, except for instance norms that run eagerly on a CPU: their backward is slow in it."""
    eager = device.type == "cpu" and not wants_compiling(c, device)
    slow = eager and any(isinstance(module, InstanceNorm) for module in trainer.modules())
    return torch.contiguous_format if slow else torch.channels_last


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
