"""Whether and how the networks of a trainer are compiled, and how their tensors lie in memory."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import sysconfig
from pathlib import Path

import torch
from torch import nn

from translate.compiling import compile_network
from translate.config import TrainConfig
from translate.methods.trainer import Trainer
from translate.models import Precision
from translate.networks.blocks import InstanceNorm

WORTH_COMPILING_STEPS, WORTH_COMPILING_MINUTES = 2000, 30
# In float32 channels_last made pix2pix slower with 1 and 8 images, dcgan quicker with 64; 16 were alike.
LARGE_BATCH = 32


def set_determinism(c: TrainConfig, device: torch.device) -> None:
    """Start all random draws from the seed; `--deterministic` leaves out operations that do not repeat.

    A GPU has none for a few operations (the gradient of reflection padding): torch then warns.
    """
    torch.manual_seed(c.seed)
    if c.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by torch
    torch.use_deterministic_algorithms(c.deterministic, warn_only=device.type != "cpu")


def memory_format(trainer: nn.Module, c: TrainConfig, precision: Precision) -> torch.memory_format:
    """Return channels_last, except where it is slow: eagerly on a CPU, for the backward of instance norms,
    and in float32 for batches that are not large.
    """
    if precision.device.type != "cpu" or wants_compiling(c, precision.device):
        return torch.channels_last
    small = precision.dtype == torch.float32 and c.batch_size < LARGE_BATCH
    slow = small or any(isinstance(module, InstanceNorm) for module in trainer.modules())
    return torch.contiguous_format if slow else torch.channels_last


def wants_compiling(c: TrainConfig, device: torch.device) -> bool:
    """Return whether `--compile` is on, or auto where nothing speaks against it."""
    return c.compile == "on" or (c.compile == "auto" and not against_compiling(c, device))


def against_compiling(c: TrainConfig, device: torch.device) -> str:
    """Return why `--compile auto` does not compile here, or nothing."""
    short = (
        c.minutes < WORTH_COMPILING_MINUTES if c.minutes else (c.steps or math.inf) < WORTH_COMPILING_STEPS
    )
    reasons = {
        "eager is as quick on this CPU": device.type == "cpu" and not torch.cpu._is_amx_tile_supported(),
        "not tried on this device": device.type not in ("cpu", "cuda"),
        "the run is too short to gain": short,
        "--deterministic": c.deterministic,
        "--recompute": c.recompute,
        "no C++ compiler, or no Python headers, on this machine": not _has_compiler(),
        "Triton is not installed": device.type == "cuda" and not importlib.util.find_spec("triton"),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _has_compiler() -> bool:
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return headers.is_file() and any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))


def compile_networks(trainer: Trainer, c: TrainConfig, device: torch.device) -> str:
    """Compile the networks where that is wanted; return a few words on what was chosen."""
    if not wants_compiling(c, device):
        reason = "" if c.compile == "off" else f" ({against_compiling(c, device)})"
        return f"{device}, not compiled{reason}"
    for network in trainer.networks.values():
        compile_network(network)
    return f"{device}, compiled (the first steps take a minute or more)"
