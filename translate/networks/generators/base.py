"""What all generators tell of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from translate.config.model import GeneratorSpec

ENDS = 48  # bytes a pixel of the network's input and output in float32, and of what rounds them


@dataclass(frozen=True)
class MemoryCost:
    """Bytes that a network takes for each pixel of an image, about.

    Attributes:
        forward: the peak of a forward.
        held: what a window keeps while others advance beside it.
    """

    forward: float
    held: float


class Generator(nn.Module):
    """A network that gives images, called through `forward` only.

    `forward` calls its parts by `self.segment(part, x)`, each of which leaves its inputs as they are, so that
    training can put gradient checkpointing in the place of `segment`.

    Attributes:
        spec: its name and the arguments of its constructor, set by `create_generator`.
        size_multiple: each side of an input image must be a multiple of this, in pixels.
        width: channels of the outermost layer.
        maps_alive: feature maps of that width and full size that a forward holds at once.
        maps_held: those that are held between two layers: reckoned, not measured.
    """

    spec: GeneratorSpec
    size_multiple: int = 1
    width: int = 64
    # Two forwards of 1536 px in float32 added 4.8 to 6.0 maps to the process for ResNet-9, 2.5 for U-Net-256.
    maps_alive: float = 6.0
    maps_held: float = 1.5

    def segment(self, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """Call a part of the network."""
        return part(*inputs)

    def memory_per_pixel(self, itemsize: int) -> MemoryCost:
        """Return the memory that an image takes for each of its pixels.

        Args:
            itemsize: bytes of a number of the feature maps.
        """
        one = self.width * itemsize
        return MemoryCost(self.maps_alive * one + ENDS, self.maps_held * one + ENDS)
