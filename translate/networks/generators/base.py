"""The base class of all generators, with gradient checkpointing and an estimate of inference memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from translate.config.model import GeneratorSpec

# Torch compiles a function 8 times, and then runs it eagerly. The segments are one function to it, of which
# each segment, image size and batch size needs a program.
MAX_PROGRAMS = 32
IMAGE_BYTES = 48  # Bytes per pixel of the input and the output in float32, and of their rounding to 8 bits.


@dataclass(frozen=True)
class MemoryCost:
    """An estimate of the memory that a network takes, in bytes per pixel of an image.

    Attributes:
        forward: the peak of a forward pass.
        between_layers: what a tile keeps between two layers while the other tiles pass through a layer.
    """

    forward: float
    between_layers: float


class Generator(nn.Module):
    """The base class of networks that output images; they are called through `forward` only.

    `forward` calls its parts through `self.segment(part, x)`, so that training can replace `segment` by
    gradient checkpointing. A part must not change its inputs in place.

    Attributes:
        compiled_by_segment: on a GPU, `compile` compiles each segment on its own instead of all of `forward`.
        spec: the generator's name and the arguments of its constructor, set by `create_generator`.
        size_multiple: each side of an input image must be a multiple of this, in pixels.
        depth_setting: the training setting that becomes the argument `depth`; empty if there is none.
        width: channels of the outermost layer.
        peak_maps: feature maps of `width` channels and full size that are alive at the peak of a forward
            pass.
        stored_maps: the same between two layers; calculated, not measured.
    """

    compiled_by_segment = False
    spec: GeneratorSpec
    size_multiple: int = 1
    depth_setting: str = ""
    width: int = 64
    # Two forwards of 1536 px in float32 added 4.8 to 6.0 maps to the process's memory for ResNet-9, and 2.5
    # for U-Net-256.
    peak_maps: float = 6.0
    stored_maps: float = 1.5

    def segment(self, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
        """Call a part of the network; training replaces this by a call with gradient checkpointing."""
        return part(*inputs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the network in place by torch.compile, as `nn.Module.compile` does, or its segments.

        On a CPU, calling many compiled segments takes longer than calling one network. On a GPU, a step is
        a CUDA graph, which no longer calls them.
        """
        if self.compiled_by_segment and next(self.parameters()).device.type != "cpu":
            self.compile_segments(*args, **kwargs)
        else:
            super().compile(*args, **kwargs)

    def compile_segments(self, *args: Any, **kwargs: Any) -> None:
        """Compile each segment on its own; what `forward` computes outside of segments runs eagerly.

        Segments that are equal but for their weights share one program, also those of two networks.
        """
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MAX_PROGRAMS)
        self.segment = torch.compile(self.segment, *args, **kwargs)  # type: ignore[method-assign]

    def memory_per_pixel(self, itemsize: int) -> MemoryCost:
        """Return the memory that inference takes for each pixel of an image.

        Args:
            itemsize: bytes of one value of the feature maps: 4 in float32, 2 in half precision.
        """
        map_bytes = self.width * itemsize
        return MemoryCost(
            self.peak_maps * map_bytes + IMAGE_BYTES, self.stored_maps * map_bytes + IMAGE_BYTES
        )
