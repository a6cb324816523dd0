"""The DCLGAN trainer: unpaired translation in both directions, by contrast (arXiv:2104.07689)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from translate.losses import multilayer_patch_nce
from translate.methods.adversary import Adversary
from translate.methods.building import (
    add_weights,
    build_augmentation,
    build_discriminators,
    build_generator,
    build_projection,
    create_adam,
)
from translate.methods.contrastive import embed_keys
from translate.methods.dclgan.config import DCLGANConfig
from translate.methods.trainer import StepProgress, Trainer, Update, freeze_weights
from translate.networks import draw_positions
from translate.networks.blocks import freeze_statistics


class DCLGAN(Trainer):
    """A trainer of two generators, two discriminators and two projection heads.

    Trains the generators `g_ab` (in the paper G, A to B) and `g_ba` (F, B to A), and the discriminators `d_a`
    and `d_b`, which score images of A and of B. The projection heads `f_a` (H_X) and `f_b` (H_Y) embed
    patches: `f_a` those of images of A, as features of `g_ab`; `f_b` those of B, as features of `g_ba`.
    Batch norms of a generator keep the running statistics of the images that it translates, without those of
    its own target.
    """

    def __init__(self, c: DCLGANConfig) -> None:
        super().__init__()
        self.c, self.layers = c, c.feature_layers
        self.g_ab, self.g_ba = build_generator(c), build_generator(c)
        self.d_a, self.d_b = build_discriminators(c, 2, in_channels=c.channels[1])
        self.f_a, self.f_b = build_projection(c, self.g_ab), build_projection(c, self.g_ba)
        self.augment_a, self.augment_b = build_augmentation(c), build_augmentation(c)
        self.adversary_a = Adversary(c, self.d_a, self.augment_a)
        self.adversary_b = Adversary(c, self.d_b, self.augment_b)
        self.optimizers = {
            "g": create_adam(c, "g", self.g_ab, self.g_ba),
            "d": create_adam(c, "d", self.d_a, self.d_b),
        }
        add_weights(self.optimizers["g"], c, "f", self.f_a, self.f_b)
        generators = {"AtoB": self.g_ab, "BtoA": self.g_ba}
        # A model applies its first generator by default.
        self.generators = {c.direction: generators[c.direction], **generators}

    def step(self, batch: dict[str, Tensor], update: Update, progress: StepProgress) -> dict[str, Tensor]:
        """Update both discriminators, then both generators together with the projection heads.

        Args:
            batch: unpaired `a` and `b`, (N, C, H, W) in [-1, 1].
        """
        c, a, b = self.c, batch["a"], batch["b"]
        fake_b, features_a = self.g_ab(a, features=self.layers)
        fake_a, features_b = self.g_ba(b, features=self.layers)

        # The discriminators minimize L_GAN, in which `gan_loss` replaces the logarithms.
        loss_d_a = self.adversary_a.discriminator_loss(real=a, fake=fake_a)
        update.accumulate("d", (loss_d_a + self.adversary_a.penalty(progress, real=a, fake=fake_a)) / 2)
        loss_d_b = self.adversary_b.discriminator_loss(real=b, fake=fake_b)
        update("d", (loss_d_b + self.adversary_b.penalty(progress, real=b, fake=fake_b)) / 2)

        # The generators and the heads minimize half of L_GAN + lambda_NCE L_PatchNCE + lambda_idt L_identity.
        # Backward runs on each part as soon as possible, to free its activations; the optimizer steps in
        # `update` below.
        with freeze_weights(self.d_a, self.d_b):
            adversarial_ab = self.adversary_b.generator_loss(fake_b, real=b)
            nce_a = self.patch_nce(features_a, self.f_a, self.g_ba, fake_b, self.f_b)
            update.accumulate("g", (adversarial_ab + c.lambda_nce * nce_a) / 2)
            del features_a
            identity = self.accumulate_identity(update, a, b) if c.lambda_identity else None
            adversarial_ba = self.adversary_a.generator_loss(fake_a, real=a)
            nce_b = self.patch_nce(features_b, self.f_b, self.g_ab, fake_a, self.f_a)
            update("g", (adversarial_ba + c.lambda_nce * nce_b) / 2)

        losses = {"d_a": loss_d_a / 2, "d_b": loss_d_b / 2, "g_ab": adversarial_ab, "g_ba": adversarial_ba}
        losses |= {"nce_a": nce_a, "nce_b": nce_b}
        losses |= {} if identity is None else {"identity": identity}
        losses |= self.adversary_a.adapt(progress, "ada_p_a")
        return losses | self.adversary_b.adapt(progress, "ada_p_b")

    def patch_nce(
        self, features: Sequence[Tensor], f: nn.Module, g: nn.Module, fake: Tensor, f_fake: nn.Module
    ) -> Tensor:
        """Return L_PatchNCE between images and their translations: the mean over patches and layers.

        A patch of a translation should be most similar to the patch of the image at the same position, by the
        cosine, among the patches of all images of the batch.

        Args:
            features: those of the images, which the translation computed.
            f: the projection head of the images' domain.
            g: the generator that takes the translations back, for their features.
            fake: the translations, (N, C, H, W).
            f_fake: the projection head of the translations' domain.
        """
        positions = draw_positions(features, self.c.nce_patches)
        with freeze_statistics(g):
            queries = f_fake(g(fake, features=self.layers, decode=False), positions)
        keys = embed_keys(f, features, positions)
        return multilayer_patch_nce(
            queries, keys, temperature=self.c.nce_temperature, all_negatives=True, cosine=True
        )

    def accumulate_identity(self, update: Update, a: Tensor, b: Tensor) -> Tensor:
        """Run backward on L_identity: a generator should leave images of its own target as they are.

        Returns:
            The sum over both generators, without its weight.
        """
        with freeze_statistics(self.g_ba):
            identity_a = F.l1_loss(self.g_ba(a), a)
        update.accumulate("g", self.c.lambda_identity * identity_a / 2)
        with freeze_statistics(self.g_ab):
            identity_b = F.l1_loss(self.g_ab(b), b)
        update.accumulate("g", self.c.lambda_identity * identity_b / 2)
        return identity_a + identity_b

    def variant(self, progress: StepProgress) -> Hashable:
        """Return the variant of the adversaries, which take the same."""
        return self.adversary_a.variant(progress)
