"""Networks whose layers connect all with all: those of the first GAN (arXiv:1406.2661, section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.config.noise import FIRST

HIDDEN = (4, 8, 16)  # channels of the generator's hidden layers, times width


class MLPGenerator(nn.Module):
    """Three hidden layers between noise and all pixels at once.

    Args:
        in_channels: numbers of noise.
        width: the hidden layers have 4, 8 and 16 times as many channels.
        depth: the picture is 4 * 2^depth pixels a side.
    """

    def __init__(
        self, in_channels: int = 100, out_channels: int = 3, *, width: int = 64, depth: int = 4, **_: object
    ) -> None:
        super().__init__()
        self.shape = (out_channels, FIRST * 2**depth, FIRST * 2**depth)
        body: list[nn.Module] = []
        before = in_channels
        for growth in HIDDEN:
            body += [nn.Linear(before, width * growth), nn.ReLU()]
            before = width * growth
        self.body = nn.Sequential(*body, nn.Linear(before, out_channels * self.shape[1] ** 2), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """(N, in_channels) -> (N, out_channels, H, H) in [-1, 1]."""
        picture: Tensor = self.body(noise).unflatten(1, self.shape)
        return picture


class MLPDiscriminator(nn.Module):
    """Three hidden layers between all pixels and one score.

    Args:
        width: the hidden layers have 16, 8 and 4 times as many channels.
        depth: pictures are 4 * 2^depth pixels a side.

    Attributes:
        shape: of what `features` gives, (C, h, w).
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, **_: object) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Flatten()]
        before = in_channels * (FIRST * 2**depth) ** 2
        for growth in reversed(HIDDEN):
            body += [nn.Linear(before, width * growth), nn.LeakyReLU(0.2)]
            before = width * growth
        self.body = nn.Sequential(*body)
        self.shape = (before, 1, 1)
        self.head = nn.Conv2d(before, 1, 1)

    def features(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, H) in [-1, 1] -> (N, C, 1, 1), what the judgement is made from."""
        found: Tensor = self.body(x)
        return found[:, :, None, None]

    def judge(self, features: Tensor) -> Tensor:
        """Those features -> (N, 1, 1, 1) scores, unbounded."""
        scores: Tensor = self.head(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, H) in [-1, 1] -> (N, 1, 1, 1) scores, unbounded."""
        return self.judge(self.features(x))
