"""The trainer of ProGAN: progressive growing of GANs (arXiv:1710.10196)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from translate.config import GeneratorSpec
from translate.losses import GAN_LOSSES, gradient_penalty
from translate.methods.building import create_adam
from translate.methods.progan.config import ProGANConfig
from translate.methods.progan.schedule import phase_index, plan_phases
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.mixed_precision import at_least_float32
from translate.networks import ProGANDiscriminator, ProGANGenerator, create_generator
from translate.networks.growing import blend, downsample, level_of, upsample


class ProGAN(Trainer):
    """A Wasserstein GAN with gradient penalty whose networks grow from 4 x 4 pixels to the image size.

    Attributes:
        phase: the index of the phase of the last step, () int64.
    """

    gan = GAN_LOSSES["wgan-gp"]
    phase: Tensor

    def __init__(self, c: ProGANConfig) -> None:
        super().__init__()
        assert c.channels is not None
        self.phases = plan_phases(c)
        self.latent, self.lambda_gp, self.drift = c.latent, c.lambda_gp, c.drift
        size = {"depth": c.depth, "fmap_base": c.fmap_base, "fmap_max": c.fmap_max}
        channels = {"in_channels": c.latent, "out_channels": c.channels}
        g = create_generator(GeneratorSpec(name="progan", args={**channels, **size}))
        assert isinstance(g, ProGANGenerator)
        self.g = g
        self.d = ProGANDiscriminator(c.channels, **size)
        self.register_buffer("phase", torch.zeros((), dtype=torch.int64))
        self.optimizers = {"d": create_adam(c, "d", self.d), "g": create_adam(c, "g", self.g)}
        self.generators = {"sample": self.g}

    def variant(self, progress: StepProgress) -> int:
        """Return the index of the phase: it says which level trains, and whether it fades in."""
        return phase_index(self.phases, progress.fraction)

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `d`, and then `g` on other noise (appendix A.1).

        While a level fades in, so do the details that it adds to the real images.

        Args:
            batch: `image`, (N, C, S, S) in [-1, 1], S = 4 * 2^level pixels.
        """
        x, index = batch["image"], self.variant(progress)
        level, alpha = level_of(x.shape[-1]), self.phases[index].alpha(progress.fraction_tensor)
        self.enter_phase(index, level, alpha)
        if alpha is not None:
            x = blend(upsample(downsample(x)), x, alpha)
        critic = partial(self.d, alpha=alpha)

        with torch.no_grad():
            fake = self.g(self.noise(x), level, alpha)
        real_scores = critic(x)
        d_loss = self.gan.discriminator_loss(real=real_scores, fake=critic(fake))
        d_loss = d_loss + self.drift * at_least_float32(real_scores).square().mean()
        update.accumulate("d", d_loss)  # This frees its activations before the penalty needs as many.
        penalty = self.lambda_gp * gradient_penalty(critic, x, fake)
        update("d", penalty)

        with freeze_weights(self.d):
            g_loss = self.gan.generator_loss(critic(self.g(self.noise(x), level, alpha)))
            update("g", g_loss)
        return {"d": d_loss + penalty, "g": g_loss}

    def noise(self, like: Tensor) -> Tensor:
        """Draw z from N(0, 1), (N, latent), for as many images as there are in `like`."""
        return torch.randn(len(like), self.latent, device=like.device, dtype=like.dtype)

    @torch.no_grad()
    def enter_phase(self, index: int, level: int, alpha: Tensor | None) -> None:
        """Let `g` know how far it has grown; when a phase begins, reset Adam, as the authors' code does.

        The host must not read which phase the last step was in, so the moments are multiplied by 0 or 1.
        """
        is_same = self.phase == index
        for optimizer in self.optimizers.values():
            for state in optimizer.state.values():
                for value in state.values():
                    value.mul_(is_same)
        self.phase.fill_(index)
        if alpha is None:
            self.g.growth.fill_(level)
        else:
            self.g.growth.copy_(level - 1 + alpha)
