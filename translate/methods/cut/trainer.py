"""The trainer of CUT and FastCUT: unpaired translation by contrastive learning (arXiv:2007.15651)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from translate.losses import multilayer_patch_nce
from translate.methods.adversary import Adversary
from translate.methods.building import (
    add_weights,
    build_augmentation,
    build_discriminator,
    build_generator,
    build_projection,
    create_adam,
)
from translate.methods.contrastive import embed_keys
from translate.methods.cut.config import CUTConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import draw_positions
from translate.networks.blocks import freeze_statistics


class CUT(Trainer):
    """A trainer of one generator, a discriminator and a projection head.

    Trains the generator `g` (G, X to Y), whose encoder's features PatchNCE compares; the discriminator `d`,
    which scores images of Y; and the projection head `f` (H), which embeds patches of features. Batch norms
    of `g` keep the running statistics of images of X alone, which the trained generator is applied to.
    """

    def __init__(self, c: CUTConfig) -> None:
        super().__init__()
        self.c, self.layers = c, c.feature_layers
        self.x, self.y = ("a", "b") if c.direction == "AtoB" else ("b", "a")
        self.g = build_generator(c)
        self.d = build_discriminator(c, in_channels=c.channels[1])
        self.f = build_projection(c, self.g)
        self.augment = build_augmentation(c)
        self.adversary = Adversary(c, self.d, self.augment)
        # One Adam trains G and H, because one loss does; with learning rates and betas of their own.
        adam_g = create_adam(c, "g", self.g)
        add_weights(adam_g, c, "f", self.f)
        self.optimizers = {"g": adam_g, "d": create_adam(c, "d", self.d)}
        self.generators = {c.direction: self.g}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update the discriminator, then the generator together with the projection head.

        Args:
            batch: unpaired `a` and `b`, (N, C, H, W) in [-1, 1].
        """
        c, x, y = self.c, batch[self.x], batch[self.y]
        flip = self.draw_flip(x) if c.flip_equivariance else None
        fake, features = self.g(flip_where(flip, x), self.layers)

        # The discriminator learns to tell images of Y from translations: L_GAN, with `gan_loss`.
        d = self.adversary.update_discriminator(update, progress, real=y, fake=fake)

        # The generator and the head minimize the final objective (section 3): L_GAN, L_PatchNCE on X, and in
        # CUT also on Y, which G should keep as it is. Backward runs on each in turn, so that activations of
        # one image are in memory.
        with freeze_weights(self.d):
            adversarial = self.adversary.generator_loss(fake, real=y)
        nce_x = self.nce_loss(x, features, fake, flip)
        losses = {"d": d, "g": adversarial, "nce": nce_x}
        if c.nce_identity:
            update.accumulate("g", c.lambda_gan * adversarial + c.lambda_nce * nce_x / 2)
            with freeze_statistics(self.g):
                identity, features = self.g(flip_where(flip, y), self.layers)
            losses["nce_identity"] = nce_y = self.nce_loss(y, features, identity, flip)
            update("g", c.lambda_nce * nce_y / 2)
        else:
            update("g", c.lambda_gan * adversarial + c.lambda_nce * nce_x)
        return losses | self.adversary.adapt(progress)

    def nce_loss(
        self, image: Tensor, features: Sequence[Tensor], translation: Tensor, flip: Tensor | None
    ) -> Tensor:
        """Return PatchNCE between the patches of a translation and those of its input (L_PatchNCE).

        Args:
            features: G's features of the input, from the forward pass that translated it.
            translation: of the input, mirrored where `flip` is true.
        """
        c = self.c
        with freeze_statistics(self.g):
            queries = self.g(translation, self.layers, decode=False)
            if flip is not None:  # Keys are those of the input as it is.
                # After the queries, because autocast caches the 16-bit copy of a weight that is made first,
                # and one that is made here would have no gradient.
                with torch.no_grad():
                    features = self.g(image, self.layers, decode=False)
        positions = self.draw_positions(features)
        z_hat = self.f(queries, flip_positions(flip, positions, queries))
        z = embed_keys(self.f, features, positions)
        return multilayer_patch_nce(z_hat, z, temperature=c.nce_temperature, all_negatives=c.all_negatives)

    def draw_positions(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Draw the patches of each layer that PatchNCE compares; see `draw_positions` of the networks."""
        return draw_positions(features, self.c.nce_patches)

    def draw_flip(self, x: Tensor) -> Tensor:
        """Draw whether the images of a batch are mirrored, a boolean scalar."""
        return torch.rand((), device=x.device) < 0.5

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversary."""
        return self.adversary.variant(progress)


def flip_where(flip: Tensor | None, x: Tensor) -> Tensor:
    """Mirror (N, C, H, W) images horizontally if `flip`, a boolean scalar, is true."""
    return x if flip is None else torch.where(flip, x.flip(3), x)


def flip_positions(
    flip: Tensor | None, positions: Sequence[Tensor], features: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Return where the positions (row * width + column) of each layer are, if it is mirrored where `flip`."""
    if flip is None:
        return positions
    widths = [layer.shape[3] for layer in features]
    return [
        torch.where(flip, p + width - 1 - 2 * (p % width), p)
        for p, width in zip(positions, widths, strict=True)
    ]
