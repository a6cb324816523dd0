"""InfoGAN (arXiv:1606.03657)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.config import InfoGANConfig
from translate.networks.heads import CodeHead
from translate.trainers.building import Update, adam, frozen
from translate.trainers.gan import GAN


class InfoGAN(GAN):
    """`g` makes pictures of noise z and codes c; `q` reads the codes off them, from the features of `d`."""

    def __init__(self, c: InfoGANConfig) -> None:
        super().__init__(c)
        self.c = c
        self.q = CodeHead(self.d.shape, c.categories, c.codes)
        self.optimizers["d"] = adam(c, self.d, self.q)

    def step(self, batch: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        """k updates of `d` and `q`, then one of `g`; all of them raise L_I.

        Args:
            batch: `picture`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["picture"].chunk(self.d_steps):
            category, codes = self.codes(x)
            scores, found = self.judge_and_read(self.made(x, category, codes).detach())
            d = self.gan.discriminator(real=self.judge(x), fake=scores)
            update("d", d + self.unread(found, category, codes))

        with frozen(self.d, self.q):
            category, codes = self.codes(x)
            scores, found = self.judge_and_read(self.made(x, category, codes))
            g, unread = self.gan.generator(scores), self.unread(found, category, codes)
            update("g", g + unread)  # eq. 6
        return {"d": d, "g": g, "codes": unread}

    def codes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """A category each, (N,), and continuous codes of U(-1, 1), (N, codes)."""
        category = torch.randint(max(1, self.c.categories), (len(like),), device=like.device)
        return category, 2 * torch.rand(len(like), self.c.codes, device=like.device) - 1

    def made(self, like: Tensor, category: Tensor, codes: Tensor) -> Tensor:
        """(N, C, H, H) pictures of noise and codes."""
        one_hot = torch.eye(max(1, self.c.categories), device=like.device)[category, : self.c.categories]
        picture: Tensor = self.g(torch.cat([self.noise(like), one_hot, codes], dim=1))
        return picture

    def judge_and_read(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The scores of pictures, and the codes that they show."""
        features = self.d.features(self.seen(x))
        return self.d.judge(features), self.q(features)

    def unread(self, found: tuple[Tensor, Tensor], category: Tensor, codes: Tensor) -> Tensor:
        """-L_I but for a constant (eq. 5): the codes' negative log likelihood under Q, of variance 1."""
        scores, means = (part.float() for part in found)
        loss = scores.new_zeros(())
        if self.c.categories:
            loss = loss + self.c.lambda_category * F.cross_entropy(scores, category)
        if self.c.codes:
            loss = loss + self.c.lambda_codes * (means - codes).square().sum(dim=1).mean() / 2
        return loss
