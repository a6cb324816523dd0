"""The trainer of 3D-GAN, which generates volumes from noise (arXiv:1610.07584)."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from translate.losses import vanilla
from translate.methods.building import create_adam
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import GAN3DDiscriminator, generator_spec
from translate.networks.initialization import create_untrained_generator

ROUNDING = 1e-6  # An accuracy of 0.8 may be rounded to a number just above it, and must not count as that.


class GAN3D(Trainer):
    """A trainer of `g`, which generates volumes from noise, and `d`, which scores volumes.

    Attributes:
        accuracy: the share of the last batch, real and generated, that `d` judged right. It decides whether
            the next step updates `d`; as a buffer, it is part of a checkpoint.
    """

    accuracy: Tensor

    def __init__(self, c: GAN3DConfig) -> None:
        super().__init__()
        self.latent, self.max_accuracy = c.latent, c.max_d_accuracy
        arguments = {"in_channels": c.latent, "width": c.ngf, "depth": c.depth}
        self.g = create_untrained_generator(generator_spec("gan3d", arguments))
        self.d = GAN3DDiscriminator(width=c.ndf, depth=c.depth)
        self.gan = vanilla()
        self.register_buffer("accuracy", torch.zeros(()))
        self.generators = {"sample": self.g}
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` if it was not too good on the last batch, then `g` (eq. 1, section 3.1).

        Args:
            batch: `volume`, (N, 1, S, S, S) occupancy, bool.
        """
        z = self.noise(batch["volume"])
        x = batch["volume"].to(z.dtype)
        d_x, d_g_z = self.d(x), self.d(self.g(z).detach())
        d_loss = self.gan.discriminator_loss(real=d_x, fake=d_g_z)
        update("d", d_loss, when=self.accuracy <= self.max_accuracy + ROUNDING)
        self.accuracy.copy_(_accuracy(d_x, d_g_z))

        with freeze_weights(self.d):
            g_loss = self.gan.generator_loss(self.d(self.g(self.noise(x))))
            update("g", g_loss)
        return {"d": d_loss, "g": g_loss, "d_accuracy": self.accuracy.clone()}

    def noise(self, like: Tensor) -> Tensor:
        """Draw z uniformly from [-1, 1], (N, latent), for as many volumes as there are in `like`.

        The paper's [0, 1] has a mean, which lets Adam raise the outputs of all z together: see
        docs/decisions/0009-noise-families.md.
        """
        return 2 * torch.rand(len(like), self.latent, device=like.device) - 1


@torch.no_grad()
def _accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of (N,) logits each that are on the right side of 0, over all processes."""
    accuracy = torch.cat([real >= 0, fake <= 0]).float().mean()
    if dist.is_available() and dist.is_initialized():
        # All processes have the same weights, so they must agree on whether to update them.
        dist.all_reduce(accuracy)
        accuracy /= dist.get_world_size()
    return accuracy
