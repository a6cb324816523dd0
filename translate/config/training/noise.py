"""The settings of all methods that generate images from noise."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.model import BASE_SIDE
from translate.config.schema import setting, with_default
from translate.config.training.base import TrainConfig
from translate.config.training.images import ImageTrainConfig
from translate.errors import UsageError

SMALLEST, LARGEST = 8, 1024  # sides of the images that the networks generate, in pixels


@dataclass(kw_only=True)
class NoiseTrainConfig(TrainConfig):
    """The settings of training on images without inputs; noise becomes an image of this size."""

    image_size: int = with_default(TrainConfig, "image_size", 64, low=SMALLEST, high=LARGEST)
    batch_size: int = with_default(TrainConfig, "batch_size", 64, help="images in a batch")
    workers: int = with_default(TrainConfig, "workers", 0)
    lr_schedule: str = with_default(TrainConfig, "lr_schedule", "constant")
    channels: int | None = setting(
        None,
        "1 for gray images, 3 for colour [default: as the dataset]",
        low=1,
        high=3,
        group="data",
    )
    latent: int = setting(100, "dimensions of the latent noise", low=1, high=4096, group="networks")
    flip: bool = with_default(ImageTrainConfig, "flip", False)

    def check(self) -> None:
        super().check()
        size = self.image_size
        if size != 2 ** (size.bit_length() - 1):
            below = 2 ** (size.bit_length() - 1)
            raise UsageError(
                f"image_size {size} is not a power of two: use --image-size {below} or {2 * below}"
            )
        if self.channels == 2:
            raise UsageError("channels 2 is neither gray nor colour: use --channels 1 or 3")

    @property
    def inputs(self) -> int:
        """Return the number of inputs of the generator: latent noise, classes and codes."""
        return self.latent

    @property
    def depth(self) -> int:
        """Return the doublings from the first feature map to the image."""
        return (self.image_size // BASE_SIDE).bit_length() - 1


def refuse_single_image_batches(c: TrainConfig) -> None:
    """Refuse a batch of one image, of which a generator with batch norm learns nothing.

    Raises:
        UsageError: the batch size is 1.
    """
    if c.batch_size == 1:
        raise UsageError(
            "batch_size 1 is too small for the generator's batch norm: use --batch-size 2 or more"
        )


@dataclass(kw_only=True)
class ClassConditionalConfig(NoiseTrainConfig):
    """The settings of methods whose generator also gets a class."""

    labels: str | None = setting(
        None,
        "CSV file of file names and classes [default: sub-folders are classes, or the labels of IDX files]",
        metavar="FILE",
        group="data",
        common=True,
        resumable=True,
    )
    classes: int | None = setting(None, "number of classes [default: as the dataset]", low=1, group="data")

    @property
    def inputs(self) -> int:
        assert self.classes is not None
        return self.latent + self.classes
