"""The trainer of SSGAN: images that are covers for hidden messages (arXiv:1707.01613)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam
from translate.methods.ssgan.config import SSGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import DCGANDiscriminator, generator_spec
from translate.networks.discriminators.steganalyser import Steganalyser
from translate.networks.initialization import create_untrained_generator

WHITE = 255.0


class SSGAN(Trainer):
    """A trainer of `g`, which generates images, `d`, which scores how real they are, and `s`, a steganalyser.

    `s` learns to tell generated images with a random message from those without one, and `g` to generate
    images whose messages it does not find.
    """

    gan = GAN_LOSSES["wgan-gp"]

    def __init__(self, c: SSGANConfig) -> None:
        super().__init__()
        self.c, channels = c, c.channels or 3
        arguments = {
            "in_channels": c.latent,
            "out_channels": channels,
            "width": c.ngf,
            "depth": c.depth,
            "norm": "batch",
            "upsample": c.upsample,
        }
        self.g = create_untrained_generator(generator_spec("dcgan", arguments))
        self.d = DCGANDiscriminator(channels, width=c.ndf, depth=c.depth, norm="none")
        self.s = Steganalyser(channels, image_size=c.image_size)
        self.generators = {"sample": self.g}
        self.optimizers = {
            "d": create_adam(c, "d", self.d),
            "s": create_adam(c, "d", self.s),
            "g": create_adam(c, "g", self.g),
        }

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d` and `s` k times, each time on new images and new noise, then `g` once.

        The game of `s` is that of SGAN (arXiv:1703.05502, eq. 2), in its non-saturating form.

        Args:
            batch: `image`, (k N, C, H, H) in [-1, 1].
        """
        alpha = self.c.alpha
        for x in batch["image"].chunk(self.c.d_steps):
            fake = self.g(self.noise(x)).detach()
            d_loss = self.gan.discriminator_loss(real=self.d(x), fake=self.d(fake))
            update("d", d_loss + self.c.lambda_gp * gradient_penalty(self.d, x, fake))
            cover = quantize(fake[: len(x) // 2])
            logits = self.s(torch.cat([cover, self.hide(cover)]))
            has_message = (torch.arange(len(logits), device=x.device) >= len(cover)).to(logits.dtype)
            s_loss = F.binary_cross_entropy_with_logits(logits, has_message)
            update("s", s_loss)

        with freeze_weights(self.d, self.s):
            fake = self.g(self.noise(x))
            g_loss = self.gan.generator_loss(self.d(fake))
            stego = self.s(self.hide(quantize(fake)))
            found_loss = F.binary_cross_entropy_with_logits(stego, torch.zeros_like(stego))
            update("g", alpha * g_loss + (1 - alpha) * found_loss)
        accuracy = ((logits > 0) == (has_message > 0)).float().mean()
        return {"d": d_loss, "s": s_loss, "g": g_loss, "found": found_loss, "s_accuracy": accuracy}

    def noise(self, like: Tensor) -> Tensor:
        """Draw z from p(z) = N(0, 1), (N, latent), for as many images as there are in `like`."""
        return torch.randn(len(like), self.c.latent, device=like.device)

    def hide(self, cover: Tensor) -> Tensor:
        """Return (N, C, H, W) images of 8 bits with a random message, which changes values by one level."""
        return embed_random_bits(cover, self.c.payload)


def quantize(x: Tensor) -> Tensor:
    """Round images in [-1, 1] to 8 bits, with the gradient of the identity (straight-through)."""
    return x + (_to_levels(x) / WHITE * 2 - 1 - x).detach()


def embed_random_bits(cover: Tensor, payload: float) -> Tensor:
    """Hide random bits by LSB matching: where the lowest bit of a value differs from its bit, add 1 or -1.

    Args:
        cover: (N, C, H, W) in [-1, 1], of 8 bits.
        payload: the share of the values that get a bit.

    Returns:
        (N, C, H, W) in [-1, 1], of 8 bits, with the gradient of the identity (straight-through).
    """
    levels = _to_levels(cover)
    carries = torch.rand_like(levels) < payload
    bits, signs = torch.randint(2, (2, *levels.shape), device=levels.device)
    differs = carries & (levels.remainder(2) != bits)
    change = (2 * signs - 1).to(levels.dtype)
    change = torch.where(levels == 0, 1.0, torch.where(levels == WHITE, -1.0, change))
    stego: Tensor = cover + (differs * change * (2 / WHITE)).to(cover.dtype)
    return stego


def _to_levels(x: Tensor) -> Tensor:
    """Return the 8-bit values of images in [-1, 1], 0 to 255 in float32."""
    return ((x.detach().float() + 1) * (WHITE / 2)).round().clamp(0, WHITE)
