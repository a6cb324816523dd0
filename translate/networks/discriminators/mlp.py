"""A multilayer perceptron as discriminator, as in the first GAN (arXiv:1406.2661, section 5)."""

from __future__ import annotations

from torch import Tensor, nn

from translate.config.model import BASE_SIDE

MULTIPLIERS = (16, 8, 4)  # Channels of the hidden layers, times the width.


class MLPDiscriminator(nn.Module):
    """A discriminator of three fully connected hidden layers, from all pixels to one score.

    Args:
        width: the hidden layers have 16, 8 and 4 times as many channels.
        depth: images are 4 * 2^depth pixels a side.
        norm: `none`; a multilayer perceptron has no other.

    Attributes:
        feature_shape: the shape (C, h, w) of an image's features before the score.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 64, depth: int = 4, norm: str = "none") -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Flatten()]
        before = in_channels * (BASE_SIDE * 2**depth) ** 2
        for multiplier in MULTIPLIERS:
            body += [nn.Linear(before, width * multiplier), nn.LeakyReLU(0.2)]
            before = width * multiplier
        self.body = nn.Sequential(*body)
        self.feature_shape = (before, 1, 1)
        self.head = nn.Conv2d(before, 1, 1)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Score (N, in_channels, H, H) images in [-1, 1].

        Returns:
            (N, 1, 1, 1) logits; with `features` also the (N, C, 1, 1) features that they are computed from.
        """
        hidden = self.body(x)[:, :, None, None]
        scores: Tensor = self.head(hidden)
        return (scores, hidden) if features else scores
