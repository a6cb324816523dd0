"""A multilayer perceptron as generator, as in the first GAN (arXiv:1406.2661, section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.generators.base import Generator

MULTIPLIERS = (4, 8, 16)  # Channels of the hidden layers, times the width.


class MLPGenerator(Generator):
    """A generator of three fully connected hidden layers, from noise to all pixels.

    Args:
        in_channels: the dimension of the noise, and of what conditions it.
        width: the hidden layers have 4, 8 and 16 times as many channels.
        depth: the image is 4 * 2^depth pixels a side.
    """

    def __init__(
        self, in_channels: int = 100, out_channels: int = 3, *, width: int = 64, depth: int = 4
    ) -> None:
        super().__init__()
        self.width = width
        self.shape = (out_channels, BASE_SIDE * 2**depth, BASE_SIDE * 2**depth)
        body: list[nn.Module] = []
        before = in_channels
        for multiplier in MULTIPLIERS:
            body += [nn.Linear(before, width * multiplier), nn.ReLU()]
            before = width * multiplier
        self.body = nn.Sequential(*body, nn.Linear(before, out_channels * self.shape[1] ** 2), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """Generate (N, out_channels, H, H) images in [-1, 1] from (N, in_channels) noise."""
        x = self.segment(self._hidden_layers, noise)
        for module in list(self.body)[-2:]:
            x = module(x)
        return x.reshape(-1, *self.shape)

    def _hidden_layers(self, x: Tensor) -> Tensor:
        for module in list(self.body)[:-2]:
            x = module(x)
        return x
