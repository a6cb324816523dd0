"""Conditional generative adversarial nets (arXiv:1411.1784)."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.methods.building import create_adam
from translate.methods.gan.config import CGANConfig
from translate.methods.gan.trainer import GAN
from translate.methods.trainer import StepProgress, Update, freeze_weights
from translate.networks.discriminators.heads import ClassHead


class CGAN(GAN):
    """`g` makes images of a class; `d` judges them, knowing the class, by `fit` too (arXiv:1802.05637)."""

    def __init__(self, c: CGANConfig) -> None:
        super().__init__(c)
        assert c.classes is not None
        self.classes = c.classes
        self.fit = ClassHead(self.d.shape, c.classes)
        self.optimizers["d"] = create_adam(c, "d", self.d, self.fit)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, then `g`; generated images are of the classes of the real ones.

        Args:
            batch: `picture`, (k N, C, H, H) in [-1, 1], and `label`, (k N,), the number of its class.
        """
        one_hot = torch.eye(self.classes, device=batch["label"].device)[batch["label"]]
        for x, y in zip(batch["image"].chunk(self.d_steps), one_hot.chunk(self.d_steps), strict=True):
            fake = self.g(torch.cat([self.noise(x), y], dim=1)).detach()
            d = self.gan.discriminator(real=self.judge_as(x, y), fake=self.judge_as(fake, y))  # eq. 2
            update("d", d)

        with freeze_weights(self.d, self.fit):
            g = self.gan.generator(self.judge_as(self.g(torch.cat([self.noise(x), y], dim=1)), y))
            update("g", g)
        return {"d": d, "g": g}

    def judge_as(self, x: Tensor, y: Tensor) -> Tensor:
        """Score images as ones of the classes `y`, (N, classes) one-hot; (N, 1, 1, 1)."""
        scores, features = self.d(self.augment(x), features=True)
        total: Tensor = scores + self.fit(features, y)
        return total
