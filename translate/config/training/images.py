"""The settings that image-to-image methods share: data augmentation, networks, losses, domains."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.model import DOWNSAMPLINGS, UPSAMPLINGS
from translate.config.schema import setting, with_default
from translate.config.training.adversarial import AdversarialConfig
from translate.config.training.augmentation import AugmentationConfig
from translate.errors import UsageError

DIRECTIONS = ("AtoB", "BtoA")
WITH_LEVELS = ("unet", "context")  # The generators whose number of levels is a setting.


@dataclass(kw_only=True)
class ImageTrainConfig(AdversarialConfig, AugmentationConfig):
    """The settings that the image-to-image methods share."""

    generator: str = setting(
        "resnet", "architecture of the generator", choices=("resnet", "unet"), group="networks"
    )
    blocks: int | None = setting(
        None,
        "residual blocks of a ResNet [default: 6 up to 128 px, 9 above]",
        low=0,
        high=64,
        group="networks",
    )
    levels: int | None = setting(
        None,
        "levels of a U-Net [default: log2 of the image size, at most 8]",
        low=2,
        high=12,
        group="networks",
    )
    ngf: int = setting(64, "channels of the generator's outermost layer", low=1, high=1024, group="networks")
    dropout: bool = setting(False, "dropout in the generator's inner blocks", group="networks")
    downsample: str = setting(
        "strided",
        "downsampling of a ResNet: strided convolutions, or antialiased by a blur, as in CUT",
        choices=DOWNSAMPLINGS,
        group="networks",
    )
    upsample: str = setting(
        "deconv",
        "upsampling: transposed convolutions as in the papers, resize-convolutions without checkerboards, or"
        " antialiased by a blur, as in CUT",
        choices=UPSAMPLINGS,
        group="networks",
    )
    initialization: str = setting(
        "normal",
        "initialization of the weights; own: torch's default for each layer",
        choices=("normal", "xavier", "kaiming", "orthogonal", "own"),
        group="networks",
    )
    init_gain: float = setting(0.02, "scale of the initial weights", low=0, group="networks")
    statistics: str = setting(
        "auto",
        "statistics of batch norm in the finished model: picture (of each image) or running; auto: picture if"
        " trained with batch size 1",
        choices=("auto", "picture", "running"),
        group="networks",
    )
    accumulate: int = setting(
        1,
        "gradient accumulation: microbatches that a batch is split into, to save memory; the batch size stays"
        " the same",
        low=1,
        high=4096,
        group="optimization",
    )

    def check(self) -> None:
        super().check()
        if self.batch_size % self.accumulate:
            fits = max(n for n in range(1, self.accumulate) if self.batch_size % n == 0)
            raise UsageError(
                f"accumulate {self.accumulate} does not divide batch_size {self.batch_size}:"
                f" use --accumulate {fits}"
            )
        self._check_downsample()
        self.check_size(self.generator, ", or fewer --levels" if self.generator in WITH_LEVELS else "")

    def _check_downsample(self) -> None:
        if self.downsample != "strided" and self.generator != "resnet":
            raise UsageError(
                f"downsample {self.downsample} is for the ResNet, but generator is {self.generator}:"
                " use --downsample strided, or --generator resnet"
            )

    @property
    def accumulation_steps(self) -> int:
        return self.accumulate

    @property
    def depth(self) -> int:
        """Return the number of residual blocks of a ResNet, or of levels of another generator."""
        if self.generator == "resnet":
            return self.blocks if self.blocks is not None else (6 if self.image_size <= 128 else 9)
        if self.generator in WITH_LEVELS:
            return self.levels or min(8, self.image_size.bit_length() - 1)
        return 5  # Colorizer and Inpainter always halve an image five times.

    @property
    def size_multiple(self) -> int:
        """Return the number of which each side of an image must be a multiple, in pixels."""
        return 4 if self.generator == "resnet" else 2**self.depth

    @property
    def applied_statistics(self) -> str:
        """Return which statistics batch norm uses in the finished model: `picture` or `running`."""
        if self.statistics == "auto":
            return "picture" if self.batch_size == 1 else "running"
        return self.statistics


@dataclass(kw_only=True)
class TranslationConfig(ImageTrainConfig):
    """The settings of methods that translate images from one domain to another."""

    domain_a: str | None = setting(
        None,
        "folder of images of domain A, or tar files",
        flag="--domainA",
        metavar="DIR",
        group="data",
        common=True,
        resumable=True,
    )
    domain_b: str | None = setting(
        None,
        "folder of images of domain B, or tar files",
        flag="--domainB",
        metavar="DIR",
        group="data",
        common=True,
        resumable=True,
    )
    direction: str = setting(
        "AtoB", "direction of the translation", choices=DIRECTIONS, group="data", common=True
    )
    in_channels: int | None = setting(
        None,
        "channels of the network's input: 1 for gray, 3 for RGB [default: as the dataset, or as --init]",
        low=1,
        high=3,
        group="data",
    )
    out_channels: int | None = setting(
        None,
        "channels of the network's output: 1 for gray, 3 for RGB [default: as the dataset, or as --init]",
        low=1,
        high=3,
        group="data",
    )

    def check(self) -> None:
        super().check()
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) == 2:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{name} 2 is neither gray nor RGB: use {flag} 1 or 3")

    @property
    def channels(self) -> tuple[int, int]:
        """Return the channels of the network's input and output: 3 where neither is known yet."""
        return self.in_channels or 3, self.out_channels or 3

    @property
    def data_source(self) -> str:
        return self.data or f"{self.domain_a} and {self.domain_b}"


@dataclass(kw_only=True)
class PhotoTrainConfig(ImageTrainConfig):
    """The settings that colorize and inpaint share."""

    preprocess: str = with_default(ImageTrainConfig, "preprocess", "random_resized_crop")
    batch_size: int = with_default(ImageTrainConfig, "batch_size", 16)
    norm: str = with_default(ImageTrainConfig, "norm", "instance")
    initialization: str = with_default(ImageTrainConfig, "initialization", "own")
    lr: float = with_default(ImageTrainConfig, "lr", 5e-4)
    beta1: float = with_default(ImageTrainConfig, "beta1", 0.9)
    lr_schedule: str = with_default(ImageTrainConfig, "lr_schedule", "cosine")
    lambda_gan: float = setting(0.0, "weight of the adversarial loss; 0: none", low=0, group="losses")

    @property
    def has_discriminator(self) -> bool:
        return self.lambda_gan > 0
