"""A discriminator whose layers connect all with all, as in the first GAN (arXiv:1406.2661, section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.config.model import BASE_SIDE

HIDDEN = (16, 8, 4)  # channels of the hidden layers, times width


class MLPDiscriminator(nn.Module):
    """Three hidden layers between all pixels and one score.

    Args:
        width: the hidden layers have 16, 8 and 4 times as many channels.
        depth: images are 4 * 2^depth pixels a side.
        norm: `none`, the only one there is for such layers.

    Attributes:
        shape: of the features, (C, h, w).
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, norm: str = "none") -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Flatten()]
        before = in_channels * (BASE_SIDE * 2**depth) ** 2
        for growth in HIDDEN:
            body += [nn.Linear(before, width * growth), nn.LeakyReLU(0.2)]
            before = width * growth
        self.body = nn.Sequential(*body)
        self.shape = (before, 1, 1)
        self.head = nn.Conv2d(before, 1, 1)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Score (N, in_channels, H, H) in [-1, 1].

        Returns:
            (N, 1, 1, 1) scores, unbounded; with `features` also (N, C, 1, 1), from which they are made.
        """
        found = self.body(x)[:, :, None, None]
        scores: Tensor = self.head(found)
        return (scores, found) if features else scores
