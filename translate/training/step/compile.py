"""torch.compile for a trainer's networks, and their memory format."""

from __future__ import annotations

import importlib.util
import math
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

# Measured on an H200 with prototypes, not with this code: compiling took 1.3 seconds a layer for pix2pix and
# 2.4 for CycleGAN, whose layers are compiled for two batch sizes, and saved 15 to 29 % of a step that is a
# CUDA graph. Both numbers are on the cautious side, so that compiling does not make a run longer.
SECONDS_PER_LAYER, MIN_SAVING = 2.5, 0.15
# On a CPU, compilation takes a minute or more, which shorter runs do not gain back.
MIN_COMPILED_STEPS, MIN_COMPILED_MINUTES = 2000, 30
# Programs of one network, of which torch allows 8 by default: one that grows needs some for each level.
MAX_PROGRAMS = 64
# In float32, channels_last made pix2pix slower with 1 and 8 images, and dcgan faster with 64; with 16 there
# was no difference.
LARGE_BATCH = 32


def memory_format(
    trainer: nn.Module, c: TrainConfig, precision: Precision, *, compiled: bool
) -> torch.memory_format:
    """Return the memory format in which steps are fastest (docs/decisions/0007-gpu.md has the times).

    Args:
        compiled: the networks are compiled.
    """
    device = precision.device.type
    if any(weight.dim() == 5 for weight in trainer.parameters()):  # The format is one of images.
        return torch.contiguous_format
    # On Apple's mps, the backward pass of batch norm was wrong in channels_last (pytorch#175189).
    if device == "mps":
        return torch.contiguous_format
    if compiled:
        return torch.channels_last
    is_small = device == "cpu" and precision.dtype == torch.float32 and c.batch_size < LARGE_BATCH
    is_slow = is_small or any(isinstance(module, InstanceNorm) for module in trainer.modules())
    return torch.contiguous_format if is_slow else torch.channels_last


def should_compile(c: TrainConfig, device: torch.device) -> bool:
    """Return whether to compile before the first step: with `--compile on`, or `auto` on a CPU if it pays.

    On a GPU, `auto` decides by `pays_off` once the speed of a step is known.
    """
    if c.compile == "auto":
        return device.type == "cpu" and not reason_against_compiling(c, device)
    return c.compile == "on"


def decides_later(c: TrainConfig, trainer: Trainer, device: torch.device, *, captured: bool) -> bool:
    """Return whether `pays_off` is to decide later: with `auto` on a GPU, if nothing is against compiling.

    Args:
        captured: a step is one CUDA graph.
    """
    reason = reason_against_compiling(c, device) or _reason_without_graph(trainer, captured)
    return c.compile == "auto" and device.type == "cuda" and not reason


def describe_compilation(c: TrainConfig, trainer: Trainer, device: torch.device, *, captured: bool) -> str:
    """Return what is decided before the first step, for the log; `captured` is as for `decides_later`."""
    if should_compile(c, device):
        return "compiled (the first steps take a minute or more, unless the cache has their programs)"
    if c.compile == "off":
        return "not compiled"
    reason = reason_against_compiling(c, device) or _reason_without_graph(trainer, captured)
    return f"not compiled ({reason or 'until the speed of a step shows whether that pays off'})"


def _reason_without_graph(trainer: Trainer, captured: bool) -> str:
    """Return why compiling does not pay off on a GPU where no graph launches the compiled programs.

    With the prototypes of `SECONDS_PER_LAYER`, pix2pix became slower: 13 to 15 ms a step became 16 to 20.
    CycleGAN became faster, 74 to 164 ms became 43 to 81, because eager instance norms are slow.
    """
    gains = captured or any(isinstance(module, InstanceNorm) for module in trainer.modules())
    return "" if gains else "without a CUDA graph, compiled steps may be slower"


def pays_off(trainer: Trainer, seconds_left: float) -> tuple[bool, str]:
    """Return whether compiling now shortens the rest of a run on a GPU, and a line that says so.

    Args:
        seconds_left: what the rest of the run takes at the present speed.
    """
    cost, saving = SECONDS_PER_LAYER * _count_layers(trainer), MIN_SAVING * seconds_left
    times = f"about {_in_words(cost)} and saves about {_in_words(saving)} of the remaining"
    if saving > cost:
        return True, f"compiling: it takes {times} {_in_words(seconds_left)}"
    return False, f"not compiled: it would take {times.replace('saves', 'save')} {_in_words(seconds_left)}"


def _count_layers(trainer: Trainer) -> int:
    """Return the number of layers with weights to compile: those of equal networks and blocks count once."""
    counted = set()

    def count(module: nn.Module) -> int:
        children = list(module.children())
        if not children:
            return int(any(weight.dim() > 1 for weight in module.parameters()))
        structure = repr(module)
        if structure in counted:
            return 0
        counted.add(structure)
        return sum(count(child) for child in children)

    return sum(count(network) for network in trainer.networks.values())


def _in_words(seconds: float) -> str:
    """Return a duration in seconds, or in minutes or hours if there are at least two of them."""
    if seconds < 2 * 60:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} hours"


def reason_against_compiling(c: TrainConfig, device: torch.device) -> str:
    """Return why `--compile auto` does not compile here, or an empty string."""
    is_short = c.minutes < MIN_COMPILED_MINUTES if c.minutes else (c.steps or math.inf) < MIN_COMPILED_STEPS
    reasons = {
        "eager mode is as fast on this CPU": device.type == "cpu" and not torch.cpu._is_amx_tile_supported(),
        "not tested on this device": device.type not in ("cpu", "cuda"),
        "the run is too short to gain": device.type == "cpu" and is_short,
        "--deterministic": c.deterministic,
        "--recompute": c.recompute,
        "no C++ compiler, or no Python headers, on this machine": not _has_compiler(),
        "Triton is not installed": device.type == "cuda" and not importlib.util.find_spec("triton"),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _has_compiler() -> bool:
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return headers.is_file() and any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))


def compile_networks(trainer: Trainer) -> None:
    """Compile a trainer's networks in place; the first steps of each variant then take a minute or more."""
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MAX_PROGRAMS)
    for network in trainer.networks.values():
        compile_network(network)
