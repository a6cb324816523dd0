"""InfoGAN (arXiv:1606.03657)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.methods.building import create_adam
from translate.methods.gan.config import InfoGANConfig
from translate.methods.gan.trainer import GAN
from translate.methods.trainer import StepProgress, Update, freeze_weights
from translate.networks.discriminators.heads import CodeHead


class InfoGAN(GAN):
    """`g` makes images of noise z and codes c; `q` reads the codes off them, from the features of `d`."""

    def __init__(self, c: InfoGANConfig) -> None:
        super().__init__(c)
        self.c = c
        self.q = CodeHead(self.d.shape, c.categories, c.codes)
        self.optimizers["d"] = create_adam(c, "d", self.d, self.q)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` and `q` k times, then `g`; all of them raise L_I.

        Args:
            batch: `picture`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["image"].chunk(self.d_steps):
            category, codes = self.codes(x)
            scores, found = self.judge_and_read(self.generate(x, category, codes).detach())
            d = self.gan.discriminator(real=self.judge(x), fake=scores)
            update("d", d + self.code_loss(found, category, codes))

        with freeze_weights(self.d, self.q):
            category, codes = self.codes(x)
            scores, found = self.judge_and_read(self.generate(x, category, codes))
            g, code_loss = self.gan.generator(scores), self.code_loss(found, category, codes)
            update("g", g + code_loss)  # eq. 6
        return {"d": d, "g": g, "codes": code_loss}

    def codes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a category each, (N,), and continuous codes of U(-1, 1), (N, codes)."""
        category = torch.randint(max(1, self.c.categories), (len(like),), device=like.device)
        return category, 2 * torch.rand(len(like), self.c.codes, device=like.device) - 1

    def generate(self, like: Tensor, category: Tensor, codes: Tensor) -> Tensor:
        """Generate (N, C, H, H) images of noise and codes."""
        one_hot = torch.eye(max(1, self.c.categories), device=like.device)[category, : self.c.categories]
        image: Tensor = self.g(torch.cat([self.noise(like), one_hot, codes], dim=1))
        return image

    def judge_and_read(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Score images, and read the codes that they show."""
        scores, features = self.d(self.augment(x), features=True)
        return scores, self.q(features)

    def code_loss(self, found: tuple[Tensor, Tensor], category: Tensor, codes: Tensor) -> Tensor:
        """Return -L_I but for a constant (eq. 5): the negative log likelihood of the codes under Q."""
        scores, means = (part.float() for part in found)
        loss = scores.new_zeros(())
        if self.c.categories:
            loss = loss + self.c.lambda_category * F.cross_entropy(scores, category)
        if self.c.codes:
            loss = loss + self.c.lambda_codes * (means - codes).square().sum(dim=1).mean() / 2
        return loss
