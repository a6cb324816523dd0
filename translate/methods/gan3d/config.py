"""The settings of 3D-GAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, TrainConfig, setting, with_default
from translate.config.model import BASE_SIDE
from translate.config.value_range import AUTO
from translate.errors import UsageError

SIDES = (32, 64)  # Of the volumes, in voxels.


@dataclass(kw_only=True)
class GAN3DConfig(TrainConfig):
    """The settings of 3D-GAN (arXiv:1610.07584). The defaults are the paper's.

    The noise is uniform on [-1, 1], not on [0, 1] (docs/decisions/0009-noise-families.md).
    """

    image_size: int = with_default(
        TrainConfig, "image_size", 64, help="side of the volumes, in voxels: 32 or 64", low=None, high=None
    )
    batch_size: int = with_default(TrainConfig, "batch_size", 100, help="volumes in a batch")
    workers: int = with_default(TrainConfig, "workers", 0)
    lr: float = with_default(TrainConfig, "lr", 0.0025, help="learning rate of the generator's Adam")
    lr_d: float = with_default(TrainConfig, "lr_d", 1e-5, help="learning rate of the discriminator's Adam")
    lr_schedule: str = with_default(TrainConfig, "lr_schedule", "constant")
    latent: int = setting(
        200,
        "dimensions of the latent noise, which is uniform on [-1, 1]",
        low=1,
        high=4096,
        group="networks",
    )
    ngf: int = with_default(ImageTrainConfig, "ngf", 64)
    ndf: int = with_default(ImageTrainConfig, "ndf", 64)
    max_d_accuracy: float = setting(
        0.8,
        "the discriminator is updated only if its accuracy on the last batch is not above this; 1: always",
        low=0,
        high=1,
        group="optimization",
    )

    def check(self) -> None:
        super().check()
        if self.image_size not in SIDES:
            nearest = min(SIDES, key=lambda side: abs(side - self.image_size))
            raise UsageError(
                f"image_size is {self.image_size}, but volumes are 32 or 64 voxels a side:"
                f" use --image-size {nearest}"
            )
        if self.batch_size == 1:
            raise UsageError("batch_size 1 is too small for batch norm: use --batch-size 2 or more")
        if self.range != AUTO:
            raise UsageError(f"range {self.range} is for images, and this recipe takes volumes: leave it out")

    @property
    def depth(self) -> int:
        """Return the number of layers of each network that double or halve the sides."""
        return (self.image_size // BASE_SIDE).bit_length() - 1
