"""A generator with a label input, bound to one label, so that it maps images to images like any other."""

from __future__ import annotations

from torch import Tensor, nn

from translate.networks.generators.base import Generator, MemoryCost


class FixedLabel(Generator):
    """A generator with the label of one target; the network below it, and its weights, may be shared.

    Args:
        generator: a generator of several domains, or a copy of it in another precision.
        label: the target, (domains,).
    """

    label: Tensor

    def __init__(self, generator: nn.Module, label: Tensor) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("label", label, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, C, H, W) images in [-1, 1] to the target."""
        out: Tensor = self.generator(x, self.label.expand(x.shape[0], -1))
        return out

    def memory_per_pixel(self, itemsize: int) -> MemoryCost:
        assert isinstance(self.generator, Generator)
        return self.generator.memory_per_pixel(itemsize)
