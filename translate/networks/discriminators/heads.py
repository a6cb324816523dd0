"""Heads on a discriminator's features: the projection of cGANs and the Q network of InfoGAN."""

from __future__ import annotations

from torch import Tensor, nn

HIDDEN = 128  # Channels of the Q network's hidden layer.


class ProjectionHead(nn.Module):
    """The head of a projection discriminator: features times the class embedding (arXiv:1802.05637, eq. 3).

    Args:
        shape: the shape (C, h, w) of an image's features.
        classes: the number of classes.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(classes, shape[0], bias=False)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return what a class adds to the logit of an image, (N, 1, 1, 1).

        Args:
            features: (N, C, h, w).
            labels: (N, classes), one-hot.
        """
        product: Tensor = (features.sum(dim=(2, 3)) * self.embedding(labels)).sum(dim=1)
        return product[:, None, None, None]


class CodeHead(nn.Module):
    """The Q network of InfoGAN: predicts the latent codes of an image (arXiv:1606.03657, section 6.1).

    Args:
        shape: the shape (C, h, w) of an image's features.
        categories: the number of values of the categorical code.
        codes: the number of continuous codes.
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
        """Predict the codes from (N, C, h, w) features.

        Returns:
            The logits of the categorical code, (N, categories), and the means of the continuous codes, (N,
            codes).
        """
        predictions = self.body(features)[:, :, 0, 0]
        return predictions[:, : self.categories], predictions[:, self.categories :]
