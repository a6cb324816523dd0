"""How much a picture may take at once."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from translate.config import GeneratorSpec

GIB = 2**30
# Feature maps of the outermost width and full size that are held at once, with what is free between them.
# Two forwards of 1536 px in float32 added 4.8 to 6.0 of them to the process for ResNet-9, 2.5 for U-Net-256.
ALIVE = {"resnet": 6.0, "unet": 3.0, "identity": 0.1}
HELD = {"resnet": 1.5, "unet": 1.2, "identity": 0.1}  # of them, between two layers: reckoned, not measured
ENDS = 48  # bytes a pixel of the network's input and output in float32, and of what rounds them
WHOLE = 4 * GIB  # the most that a picture in one piece may take, however much is free
TILED = 1.25 * GIB  # the most for tiles, so that memory stays flat as pictures grow


def free_memory(device: torch.device) -> float:
    """What is free for a picture, in bytes, as a power of two, so that small changes decide nothing."""
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = float(psutil.virtual_memory().available)
    return 2.0 ** int(torch.tensor(max(free, 1)).log2().floor())


@dataclass(frozen=True)
class Cost:
    """What a network takes for each pixel of a picture, in bytes, about.

    Attributes:
        forward: the peak of a forward.
        held: what a window keeps while others advance beside it.
    """

    forward: float
    held: float


def cost_of(spec: GeneratorSpec, dtype: torch.dtype) -> Cost:
    """What a generator takes, its maps kept in `dtype`."""
    one = spec.width * dtype.itemsize
    return Cost(ALIVE[spec.name] * one + ENDS, HELD[spec.name] * one + ENDS)


def limits(device: torch.device) -> tuple[float, float]:
    """The most that a picture in one piece, and that tiles, may take on this machine, in bytes."""
    half = free_memory(device) / 2
    return min(half, WHOLE), min(half, TILED)
