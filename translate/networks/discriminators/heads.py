"""What a discriminator can be asked besides "real or not", from the same features."""

from __future__ import annotations

from torch import Tensor, nn

HIDDEN = 128  # channels of the code head's hidden layer


class ClassHead(nn.Module):
    """How well features fit a class: their product with the class's embedding (arXiv:1802.05637, eq. 3).

    Args:
        shape: of the features, (C, h, w).
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(classes, shape[0], bias=False)

    def forward(self, features: Tensor, asked: Tensor) -> Tensor:
        """(N, C, h, w) and (N, classes) one-hot -> (N, 1, 1, 1), to be added to the score."""
        fit: Tensor = (features.sum(dim=(2, 3)) * self.embedding(asked)).sum(dim=1)
        return fit[:, None, None, None]


class CodeHead(nn.Module):
    """Q of InfoGAN: the codes that an image was made from, as far as it shows them (arXiv:1606.03657, 6.1).

    Args:
        shape: of the features, (C, h, w).
        categories, codes: how many there are of either kind.
    """

    def __init__(self, shape: tuple[int, int, int], categories: int, codes: int) -> None:
        super().__init__()
        self.categories = categories
        self.body = nn.Sequential(
            nn.Conv2d(shape[0], HIDDEN, shape[1:]),
            nn.LeakyReLU(0.1),
            nn.Conv2d(HIDDEN, categories + codes, 1),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) -> the categories' scores, (N, categories), and the codes' means, (N, codes)."""
        found = self.body(features)[:, :, 0, 0]
        return found[:, : self.categories], found[:, self.categories :]
