"""The trainer of CGAN: conditional generative adversarial nets (arXiv:1411.1784)."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.methods.building import create_adam
from translate.methods.gan.config import CGANConfig
from translate.methods.gan.trainer import GAN
from translate.methods.trainer import StepProgress, Update, freeze_weights
from translate.networks.discriminators.heads import ProjectionHead


class CGAN(GAN):
    """A GAN whose networks both get the class of the image.

    The discriminator is conditioned by the projection head `fit` (arXiv:1802.05637).
    """

    def __init__(self, c: CGANConfig) -> None:
        super().__init__(c)
        assert c.classes is not None
        self.classes = c.classes
        self.fit = ProjectionHead(self.d.feature_shape, c.classes)
        self.optimizers["d"] = create_adam(c, "d", self.d, self.fit)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, then `g`; the generated images have the classes of the real ones.

        Args:
            batch: `image`, (k N, C, H, H) in [-1, 1], and `label`, (k N,), the indices of their classes.
        """
        one_hot = torch.eye(self.classes, device=batch["label"].device)[batch["label"]]
        for x, y in zip(batch["image"].chunk(self.d_steps), one_hot.chunk(self.d_steps), strict=True):
            fake = self.generate(x, y).detach()
            d_loss = self.gan.discriminator_loss(
                real=self.score_with_class(x, y), fake=self.score_with_class(fake, y)
            )  # eq. 2
            update("d", d_loss)

        with freeze_weights(self.d, self.fit):
            g_loss = self.gan.generator_loss(self.score_with_class(self.generate(x, y), y))
            update("g", g_loss)
        return {"d": d_loss, "g": g_loss}

    def generate(self, like: Tensor, y: Tensor) -> Tensor:
        """Generate (N, C, H, W) images of the classes `y`, (N, classes) one-hot, from new noise."""
        image: Tensor = self.g(torch.cat([self.noise(like), y], dim=1))
        return image

    def score_with_class(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the scores of images as images of the classes `y`, (N, 1, 1, 1)."""
        scores, features = self.d(self.augment(x), features=True)
        total: Tensor = scores + self.fit(features, y)
        return total
