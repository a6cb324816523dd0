"""The settings of StarGAN."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import AugmentationConfig, ImageTrainConfig, setting, with_default
from translate.config.training.small_data import SmallDataConfig
from translate.errors import UsageError

SIZE_MULTIPLE = 4
MIN_FEATURES = 2  # The default number of layers leaves so many pixels a side, where the image allows it.


@dataclass(kw_only=True)
class StarGANConfig(SmallDataConfig, AugmentationConfig):
    """The settings of translation between several domains (arXiv:1711.09020)."""

    image_size: int = with_default(AugmentationConfig, "image_size", 128)
    batch_size: int = with_default(AugmentationConfig, "batch_size", 16, help="images in a batch")
    lr: float = with_default(AugmentationConfig, "lr", 1e-4)
    ema: float = with_default(
        AugmentationConfig,
        "ema",
        0.999,
        help="decay of the exponential moving average of the generator's weights; 0: off, as published",
    )
    # The head of the classes sees the whole crop.
    preprocess: str = with_default(
        AugmentationConfig,
        "preprocess",
        "resize_and_crop",
        choices=("resize_and_crop", "random_resized_crop", "crop", "scale_width_and_crop"),
    )
    labels: str | None = setting(
        None,
        "table of file names with their attributes, 1/-1 or 1/0 (CSV with a header, or CelebA's"
        " list_attr_celeba.txt), or with their domain (CSV) [default: sub-folders are domains]",
        metavar="FILE",
        group="data",
        common=True,
        resumable=True,
    )
    attributes: str | None = setting(
        None,
        "attributes of --labels to train, separated by commas [default: all]",
        metavar="NAMES",
        group="data",
        common=True,
    )
    domains: int | None = setting(
        None, "number of domains or attributes [default: as the dataset]", low=1, high=1024, group="data"
    )
    channels: int | None = setting(
        None, "1 for gray images, 3 for colour [default: as the dataset]", low=1, high=3, group="data"
    )
    ngf: int = with_default(ImageTrainConfig, "ngf", 64)
    blocks: int = setting(6, "residual blocks of the generator", low=0, high=64, group="networks")
    discriminator: str = setting(
        "stargan",
        "architecture of the discriminator: only StarGAN's own, which also tells the domains apart",
        group="networks",
    )
    ndf: int = with_default(ImageTrainConfig, "ndf", 64)
    d_layers: int | None = setting(
        None,
        "strided layers of the discriminator [default: 6, and fewer for images below 128 px]",
        low=1,
        high=10,
        group="networks",
    )
    d_steps: int = setting(5, "discriminator steps per generator step", low=1, high=100, group="optimization")
    lambda_cls: float = setting(1.0, "weight of the domain classification loss", low=0, group="losses")
    lambda_rec: float = setting(10.0, "weight of the reconstruction loss", low=0, group="losses")
    lambda_gp: float = setting(10.0, "weight of the gradient penalty", low=0, group="losses")

    def check(self) -> None:
        super().check()
        if self.batch_size < 2:
            raise UsageError(
                f"batch_size {self.batch_size} (of each process) trains no translation to another domain,"
                " because the targets are the labels of the batch in random order: use --batch-size 2 or more"
            )
        if self.discriminator != "stargan":
            raise UsageError(
                f"discriminator {self.discriminator} only scores images, and that of StarGAN also tells their"
                " domains apart: leave --discriminator out"
            )
        self.check_size("generator")
        if self.image_size >> self.depth_d < 1:
            raise UsageError(
                f"d_layers {self.depth_d} leave nothing of {self.image_size} px: use --d-layers"
                f" {self.image_size.bit_length() - 1} or fewer"
            )
        if self.channels == 2:
            raise UsageError("channels 2 is neither gray nor colour: use --channels 1 or 3")
        if self.attributes is not None:
            self.attributes = ",".join(split_attributes(self.attributes))

    @property
    def batches_per_step(self) -> int:
        return self.d_steps

    @property
    def size_multiple(self) -> int:
        return SIZE_MULTIPLE

    @property
    def min_image_size(self) -> int:
        return SIZE_MULTIPLE

    @property
    def exclusive(self) -> bool:
        """Return whether an image has one domain at a time; otherwise it has any number of attributes."""
        return self.attributes is None

    @property
    def depth_d(self) -> int:
        """Return the number of strided layers of the discriminator."""
        return self.d_layers or min(6, (self.image_size // MIN_FEATURES).bit_length() - 1)


def split_attributes(text: str) -> list[str]:
    """Return the names of attributes that are separated by commas."""
    return [name.strip() for name in text.split(",")]
