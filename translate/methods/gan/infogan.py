"""The trainer of InfoGAN: codes with meaning, learned without labels (arXiv:1606.03657)."""

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
    """A GAN whose generator gets codes c besides the noise z; `q` predicts c from the features of `d`."""

    def __init__(self, c: InfoGANConfig) -> None:
        super().__init__(c)
        self.c = c
        self.q = CodeHead(self.d.feature_shape, c.categories, c.codes)
        self.optimizers["d"] = create_adam(c, "d", self.d, self.q)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` and `q` k times, then `g`; all of them maximize L_I (eq. 6).

        Args:
            batch: `image`, (k N, C, H, H) in [-1, 1].
        """
        for x in batch["image"].chunk(self.d_steps):
            category, codes = self.draw_codes(x)
            scores, predicted = self.score_and_predict_codes(self.generate(x, category, codes).detach())
            d_loss = self.gan.discriminator_loss(real=self.score(x), fake=scores)
            update("d", d_loss + self.code_loss(predicted, category, codes))

        with freeze_weights(self.d, self.q):
            category, codes = self.draw_codes(x)
            scores, predicted = self.score_and_predict_codes(self.generate(x, category, codes))
            g_loss = self.gan.generator_loss(scores)
            code_loss = self.code_loss(predicted, category, codes)
            update("g", g_loss + code_loss)
        return {"d": d_loss, "g": g_loss, "codes": code_loss}

    def draw_codes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Draw categories, (N,), and continuous codes from U(-1, 1), (N, codes)."""
        category = torch.randint(max(1, self.c.categories), (len(like),), device=like.device)
        return category, 2 * torch.rand(len(like), self.c.codes, device=like.device) - 1

    def generate(self, like: Tensor, category: Tensor, codes: Tensor) -> Tensor:
        """Generate (N, C, H, H) images from new noise and given codes."""
        one_hot = torch.eye(max(1, self.c.categories), device=like.device)[category, : self.c.categories]
        image: Tensor = self.g(torch.cat([self.noise(like), one_hot, codes], dim=1))
        return image

    def score_and_predict_codes(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the scores of images, and their codes as `q` predicts them: logits and means."""
        scores, features = self.d(self.augment(x), features=True)
        return scores, self.q(features)

    def code_loss(self, predicted: tuple[Tensor, Tensor], category: Tensor, codes: Tensor) -> Tensor:
        """Return -L_I up to a constant (eq. 5): the negative log-likelihood of the codes under Q."""
        logits, means = (output.float() for output in predicted)
        loss = logits.new_zeros(())
        if self.c.categories:
            loss = loss + self.c.lambda_category * F.cross_entropy(logits, category)
        if self.c.codes:
            loss = loss + self.c.lambda_codes * (means - codes).square().sum(dim=1).mean() / 2
        return loss
