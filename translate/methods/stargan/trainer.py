"""The StarGAN trainer: translation between several domains by one generator (arXiv:1711.09020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam
from translate.methods.stargan.config import StarGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.mixed_precision import at_least_float32
from translate.networks import StarGANDiscriminator, create_generator, generator_spec
from translate.networks.augmentation import DiffAugment

GENERATOR = "G"  # The name of the only generator of the model.


class StarGAN(Trainer):
    """A trainer of `g`, which translates x to the domain c, and `d`, which scores and classifies images.

    A label c is a vector, (N, domains), with 1 for the domain of an image, or for each of its attributes.
    """

    gan = GAN_LOSSES["wgan-gp"]  # eq. 8

    def __init__(self, c: StarGANConfig) -> None:
        super().__init__()
        assert c.domains is not None
        self.c, channels = c, c.channels or 3
        arguments = {
            "in_channels": channels,
            "out_channels": channels,
            "domains": c.domains,
            "width": c.ngf,
            "depth": c.blocks,
        }
        self.g = create_generator(generator_spec("stargan", arguments))
        self.d = StarGANDiscriminator(
            channels, image_size=c.image_size, domains=c.domains, width=c.ndf, layers=c.depth_d
        )
        self.augment = DiffAugment() if c.diffaugment else nn.Identity()
        self.optimizers = {"g": create_adam(c, "g", self.g), "d": create_adam(c, "d", self.d)}
        self.generators = {GENERATOR: self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, each time on new images, then `g` once, on the last of them.

        Args:
            batch: `photo`, (k N, C, S, S) in [-1, 1], and `label`, (k N, domains), 0 or 1.
        """
        images, labels = batch["photo"], batch["label"].to(batch["photo"].dtype)
        for x, c in zip(images.chunk(self.c.d_steps), labels.chunk(self.c.d_steps), strict=True):
            target = self.draw_targets(c)
            with freeze_weights(self.g):
                fake = self.g(x, target)
            scores, logits = self.d(self.augment(torch.cat([x, fake])))
            real_scores, fake_scores = scores.chunk(2)
            d_loss = self.gan.discriminator_loss(real=real_scores, fake=fake_scores)
            d_cls = self.classification_loss(logits[: len(x)], c)  # eq. 2
            penalty = gradient_penalty(lambda mixed: self.d(self.augment(mixed))[0], x, fake)
            update("d", d_loss + self.c.lambda_cls * d_cls + self.c.lambda_gp * penalty)  # eq. 5

        with freeze_weights(self.d):
            fake = self.g(x, target)
            scores, logits = self.d(self.augment(fake))
            g_loss = self.gan.generator_loss(scores)
            g_cls = self.classification_loss(logits, target)  # eq. 3
            reconstruction = F.l1_loss(self.g(fake, c), x)  # eq. 4
            update("g", g_loss + self.c.lambda_cls * g_cls + self.c.lambda_rec * reconstruction)  # eq. 6
        return {"d": d_loss, "d_cls": d_cls, "g": g_loss, "g_cls": g_cls, "rec": reconstruction}

    def draw_targets(self, labels: Tensor) -> Tensor:
        """Return the labels of the batch in random order, so that targets are as frequent as in the data."""
        return labels[torch.rand(len(labels), device=labels.device).argsort()]

    def classification_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of classified images: cross-entropy, or of attributes the sum of theirs.

        Args:
            logits, labels: (N, domains).
        """
        logits = at_least_float32(logits)
        if self.c.exclusive:
            return F.cross_entropy(logits, labels.to(logits.dtype))
        loss = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="sum")
        return loss / len(logits)
