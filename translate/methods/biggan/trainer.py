"""The trainer of BigGAN (arXiv:1809.11096)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.config import GeneratorSpec
from translate.losses import GAN_LOSSES, orthogonal_penalty
from translate.methods.biggan.config import BigGANConfig
from translate.methods.building import create_adam
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import BigGANDiscriminator, BigGANGenerator
from translate.networks.augmentation import DiffAugment
from translate.networks.initialization import create_untrained_generator, initialize_orthogonally


class BigGAN(Trainer):
    """A trainer of `g`, which generates images of a class from noise, and `d`, which scores them with it.

    Attributes:
        gan: the hinge loss (arXiv:1705.02894).
        augment: the augmentation of real and generated images before `d` (DiffAugment), or the identity.
    """

    gan = GAN_LOSSES["hinge"]

    def __init__(self, c: BigGANConfig) -> None:
        super().__init__()
        assert c.classes is not None
        assert c.channels is not None
        self.latent, self.classes = c.latent, c.classes
        self.d_steps, self.lambda_ortho = c.d_steps, c.lambda_ortho
        g = create_untrained_generator(_generator_spec(c))
        assert isinstance(g, BigGANGenerator)
        self.g = g
        self.d = BigGANDiscriminator(
            c.channels, classes=c.classes, width=c.ndf, depth=c.depth, attention=c.attention_side
        )
        initialize_orthogonally(self.d)
        self.augment = DiffAugment() if c.diffaugment else nn.Identity()
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
        self.generators = {"sample": self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` k times, then `g`; the generated images have the classes of the real ones.

        Args:
            batch: `image`, (k N, C, H, H) in [-1, 1], and `label`, (k N,), the indices of their classes.
        """
        images, labels = (batch[name].chunk(self.d_steps) for name in ("image", "label"))
        for x, y in zip(images, labels, strict=True):
            fake = self.generate(y).detach()
            scores = self.d(self.augment(torch.cat([fake, x])), torch.cat([y, y]))
            fake_score, real_score = scores.chunk(2)
            d_loss = self.gan.discriminator_loss(real=real_score, fake=fake_score)
            update("d", d_loss)

        with freeze_weights(self.d):
            g_loss = self.gan.generator_loss(self.d(self.augment(self.generate(y)), y))
            update("g", g_loss + self.orthogonal_regularization())
        return {"d": d_loss, "g": g_loss}

    def generate(self, y: Tensor) -> Tensor:
        """Generate images of the classes `y`, (N,), from new noise, (N, C, H, H)."""
        z = torch.randn(len(y), self.latent, device=y.device)
        one_hot = torch.eye(self.classes, device=y.device)[y]
        image: Tensor = self.g(torch.cat([z, one_hot], dim=1))
        return image

    def orthogonal_regularization(self) -> Tensor | float:
        """Return the weighted penalty of all weight matrices of `g` but the class embedding (eq. 3)."""
        if not self.lambda_ortho:
            return 0.0
        shared = self.g.embedding.weight
        matrices = [w for w in self.g.parameters() if w.dim() > 1 and w is not shared]
        return self.lambda_ortho * orthogonal_penalty(matrices)


def _generator_spec(c: BigGANConfig) -> GeneratorSpec:
    arguments = {
        "in_channels": c.inputs,
        "out_channels": c.channels,
        "classes": c.classes,
        "width": c.ngf,
        "depth": c.depth,
        "embedding": c.embedding,
        "hierarchical": c.hierarchical,
        "attention": c.attention_side,
    }
    return GeneratorSpec(name="biggan", args=arguments)
