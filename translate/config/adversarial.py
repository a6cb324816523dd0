"""The settings of the discriminator and of the adversarial loss of an image-to-image method."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.model import DOWNSAMPLINGS, NORMS
from translate.config.schema import setting
from translate.config.small_data import SmallDataConfig
from translate.errors import UsageError


@dataclass(kw_only=True)
class AdversarialConfig(SmallDataConfig):
    """The settings of a discriminator of images, and of the losses between it and a generator."""

    discriminator: str = setting(
        "patch", "architecture of the discriminator", choices=("patch", "pixel"), group="networks"
    )
    d_layers: int = setting(3, "strided layers of a PatchGAN", low=1, high=6, group="networks")
    d_downsample: str = setting(
        "strided",
        "downsampling of a PatchGAN: strided convolutions, or antialiased by a blur, as in CUT",
        choices=DOWNSAMPLINGS,
        group="networks",
    )
    ndf: int = setting(64, "channels of the discriminator's first layer", low=1, high=1024, group="networks")
    norm: str = setting("instance", "normalization layers", choices=NORMS, group="networks")
    gan_loss: str = setting(
        "lsgan",
        "adversarial loss; hinge-real: the generator, too, minimizes the hinge of real images, as in DCLGAN",
        choices=("vanilla", "lsgan", "hinge", "hinge-real", "wgan-gp"),
        group="losses",
    )
    lambda_gp: float = setting(10.0, "weight of the gradient penalty of wgan-gp", low=0, group="losses")

    def check(self) -> None:
        super().check()
        self._check_penalty()
        self._check_adaptive_augmentation()
        self._check_discriminator_size()
        if self.d_downsample != "strided" and self.discriminator != "patch":
            raise UsageError(
                f"d_downsample {self.d_downsample} is for the PatchGAN, but discriminator is"
                f" {self.discriminator}: use --d-downsample strided, or --discriminator patch"
            )

    def _check_penalty(self) -> None:
        if self.gan_loss == "wgan-gp" and self.norm == "batch":
            raise UsageError(
                "gan_loss wgan-gp needs the gradient of each image alone, and norm batch mixes the images of"
                " a batch: use --norm instance"
            )

    def _check_adaptive_augmentation(self) -> None:
        if self.ada and self.gan_loss == "wgan-gp":
            raise UsageError(
                "ada measures overfitting by the sign of a score, and the scores of gan_loss wgan-gp have no"
                " zero: use --diffaugment, or another --gan-loss"
            )

    def _check_discriminator_size(self) -> None:
        if self.image_size < self.min_image_size:
            raise UsageError(
                f"image_size {self.image_size} is below {self.min_image_size}, the minimum for a PatchGAN of"
                f" {self.d_layers} layers: use a larger --image-size or fewer --d-layers"
            )

    @property
    def min_image_size(self) -> int:
        """Return the smallest side that the networks can be trained on, in pixels."""
        return 3 * 2**self.d_layers if self.discriminator == "patch" else 8
