"""A generator whose layers connect all with all, as in the first GAN (arXiv:1406.2661, section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.config.model import BASE_SIDE
from translate.networks.generators.base import Generator

HIDDEN = (4, 8, 16)  # channels of the generator's hidden layers, times width


class MLPGenerator(Generator):
    """Three hidden layers between noise and all pixels at once.

    Args:
        in_channels: numbers of noise.
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
        for growth in HIDDEN:
            body += [nn.Linear(before, width * growth), nn.ReLU()]
            before = width * growth
        self.body = nn.Sequential(*body, nn.Linear(before, out_channels * self.shape[1] ** 2), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """(N, in_channels) -> (N, out_channels, H, H) in [-1, 1]."""
        x = self.segment(self._hidden, noise)
        for module in list(self.body)[-2:]:
            x = module(x)
        return x.reshape(-1, *self.shape)

    def _hidden(self, x: Tensor) -> Tensor:
        for module in list(self.body)[:-2]:
            x = module(x)
        return x
