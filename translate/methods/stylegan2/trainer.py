"""The trainer of StyleGAN2 (arXiv:1912.04958)."""

from __future__ import annotations

import math
from collections.abc import Hashable

import torch
from torch import Tensor, nn

from translate.compiling import run_eagerly
from translate.config import GeneratorSpec
from translate.losses import vanilla, zero_centered_penalty
from translate.methods.building import create_adam
from translate.methods.stylegan2.config import StyleGAN2Config
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.mixed_precision import at_least_float32
from translate.networks import StyleGAN2Generator, create_generator
from translate.networks.augmentation import AdaptiveAugment, DiffAugment
from translate.networks.discriminators.stylegan2 import StyleGAN2Discriminator

PATH_DECAY = 0.01  # The share of a batch in the moving average a of path lengths.


class StyleGAN2(Trainer):
    """A trainer of `g`, which generates images from noise by styles, and `d`, which scores images.

    Attributes:
        path_mean: a, the moving average of path lengths, ().
    """

    path_mean: Tensor

    def __init__(self, c: StyleGAN2Config) -> None:
        super().__init__()
        self.c, channels = c, c.channels or 3
        size = {"depth": c.depth, "fmap_base": c.fmap_base, "fmap_max": c.fmap_max}
        arguments = {"in_channels": c.latent, "out_channels": channels, "mapping_depth": c.mapping_depth}
        g = create_generator(GeneratorSpec(name="stylegan2", args={**arguments, **size}))
        assert isinstance(g, StyleGAN2Generator)
        self.g = g
        self.d = StyleGAN2Discriminator(channels, group_size=c.std_group, **size)
        self.augment = (
            AdaptiveAugment(target=c.ada_target)
            if c.ada
            else DiffAugment()
            if c.diffaugment
            else nn.Identity()
        )
        self.register_buffer("path_mean", torch.zeros(()))
        self.gan = vanilla()  # The non-saturating logistic loss.
        self.optimizers = {"g": create_adam(c, "g", self.g), "d": create_adam(c, "d", self.d)}
        self.generators = {"sample": self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update `g`, then `d`; each is regularized every few steps, by a step of its own (section 3.1).

        Args:
            batch: `image`, (N, C, H, H) in [-1, 1].
        """
        x, c = batch["image"], self.c
        losses = {}
        with freeze_weights(self.d):
            g_loss = self.gan.generator_loss(self.score(self.g(w=self.draw_styles(len(x)))))
            update("g", g_loss)
        if self.is_path_regularized(progress):
            losses["path"] = self.path_length_penalty(self.draw_styles(max(1, len(x) // 2)))
            update("g", c.path_every * c.lambda_path * losses["path"] + _zero(self.g))

        with torch.no_grad():
            fake = self.g(w=self.draw_styles(len(x)))
        real_scores = self.score(x)
        d_loss = self.gan.discriminator_loss(real=real_scores, fake=self.score(fake))
        update("d", d_loss)
        if self.is_r1_regularized(progress):
            losses["r1"] = zero_centered_penalty(self.score, x)
            update("d", c.r1_every * c.r1_gamma * losses["r1"] + _zero(self.d))
        return {"d": d_loss, "g": g_loss, **losses, **self.adapt(real_scores, progress)}

    def draw_styles(self, count: int) -> Tensor:
        """Return the w of each layer for new noise, (count, layers, w).

        With the probability `style_mixing`, the layers from a random one on have the w of other noise.
        """
        z, mixed = torch.randn(2, count, self.c.latent, device=self.path_mean.device)
        is_mixed = torch.rand((), device=z.device) < self.c.style_mixing
        first = torch.randint(1, self.g.layers, (), device=z.device)
        return self.map_noise(z, mixed, torch.where(is_mixed, first, self.g.layers))

    def map_noise(self, z: Tensor, mixed: Tensor, first_mixed: Tensor) -> Tensor:
        """Return the w of z for each layer, and that of other noise from a layer on, (N, layers, w)."""
        w = self.g.mapping(z)
        self.g.mapping.track_mean(w)
        is_mixed = torch.arange(self.g.layers, device=z.device) >= first_mixed
        return torch.where(is_mixed[:, None], self.g.mapping(mixed)[:, None], w[:, None])

    def path_length_penalty(self, w: Tensor) -> Tensor:
        """Return E[(|J_w^T y| - a)^2], where y is an image of noise (section 3.2, eq. 4).

        The length of a direction is the root of its mean square over the layers. The average a is that with
        this batch, and the gradient flows through it.
        """
        with run_eagerly("torch.compile cannot differentiate the path length twice: it runs uncompiled"):
            images = self.g(w=w)
        y = self.draw_directions(images) / math.sqrt(images.shape[2] * images.shape[3])
        (gradient,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
        lengths = at_least_float32(gradient).square().sum(dim=2).mean(dim=1).sqrt()
        mean = torch.lerp(self.path_mean, lengths.mean(), PATH_DECAY)
        self.path_mean.copy_(mean.detach())
        return (lengths - mean).square().mean()

    def draw_directions(self, images: Tensor) -> Tensor:
        """Draw y from N(0, 1), of the shape of the images."""
        return torch.randn_like(images)

    def score(self, x: Tensor) -> Tensor:
        """Return the scores by `d` of augmented images, (N, 1, 1, 1)."""
        scores: Tensor = self.d(self.augment(x))
        return scores

    def adapt(self, real_scores: Tensor, progress: StepProgress) -> dict[str, Tensor]:
        """Adapt the adaptive augmentation to the scores of real images; return its probability, to log."""
        if not isinstance(self.augment, AdaptiveAugment):
            return {}
        self.augment.observe(real_scores)
        self.augment.adapt(progress.fraction_tensor)
        return {"ada_p": self.augment.p.clone()}

    def is_path_regularized(self, progress: StepProgress) -> bool:
        """Return whether the next step has a path length regularization."""
        return bool(self.c.lambda_path) and progress.step % self.c.path_every == 0

    def is_r1_regularized(self, progress: StepProgress) -> bool:
        """Return whether the next step has R1."""
        return bool(self.c.r1_gamma) and progress.step % self.c.r1_every == 0

    def variant(self, progress: StepProgress) -> Hashable:
        return self.is_path_regularized(progress), self.is_r1_regularized(progress)


def _zero(network: nn.Module) -> Tensor:
    """Return 0, with a gradient of zeros for each weight.

    Adam then counts a step of the weights on which a penalty does not depend, too, as in the paper's code.
    """
    return torch.stack([0 * weight.sum() for weight in network.parameters()]).sum()
