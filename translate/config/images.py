"""The settings that methods for images share: crops, networks, adversarial loss; pairs, domains, photos."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.model import NORMS, UPSAMPLINGS
from translate.config.schema import setting, with_default
from translate.config.training import TrainConfig
from translate.errors import UsageError

PREPROCESSING = (
    *("resize_and_crop", "random_resized_crop", "crop"),
    *("scale_width", "scale_width_and_crop", "none"),
)
DIRECTIONS = ("AtoB", "BtoA")
LEVELLED = ("unet", "context")  # generators that halve an image as often as they are told
RESIZE_MARGIN = 286 / 256  # the reference resizes to 286 and crops 256


@dataclass(kw_only=True)
class ImageTrainConfig(TrainConfig):
    """Settings that the image-to-image recipes share."""

    preprocess: str = setting("resize_and_crop", "how an image becomes a crop", choices=PREPROCESSING)
    load_size: int | None = setting(
        None, "side before the crop, in pixels [default: image size x 286/256]", low=8, high=8192
    )
    flip: bool = setting(True, "mirror at random")
    color_jitter: float = setting(0.0, "strength of random colour changes", low=0, high=1)
    affine: float = setting(0.0, "largest random rotation, in degrees", low=0, high=180)
    generator: str = setting("resnet", "architecture of the generator", choices=("resnet", "unet"))
    blocks: int | None = setting(
        None, "residual blocks of a ResNet [default: 6 up to 128 px, 9 above]", low=0, high=64
    )
    levels: int | None = setting(
        None, "levels of a U-Net [default: log2 of the image size, at most 8]", low=2, high=12
    )
    ngf: int = setting(64, "channels of the generator's outermost layer", low=1, high=1024)
    discriminator: str = setting("patch", "architecture of the discriminator", choices=("patch", "pixel"))
    d_layers: int = setting(3, "strided layers of a PatchGAN", low=1, high=6)
    ndf: int = setting(64, "channels of the discriminator's first layer", low=1, high=1024)
    norm: str = setting("instance", "normalisation", choices=NORMS)
    dropout: bool = setting(False, "dropout in the generator's middle blocks")
    upsample: str = setting(
        "deconv", "resize avoids checkerboards, deconv is the papers'", choices=UPSAMPLINGS
    )
    initialization: str = setting(
        "normal", "how weights start", choices=("normal", "xavier", "kaiming", "orthogonal", "own")
    )
    init_gain: float = setting(0.02, "scale of the starting weights", low=0)
    statistics: str = setting(
        "auto",
        "what batch norm uses in the finished model; auto: picture if trained with batch size 1",
        choices=("auto", "picture", "running"),
    )
    accumulate: int = setting(
        1,
        "parts in which a batch goes through the networks: less memory, all optimizers step after the last",
        low=1,
        high=4096,
    )
    gan_loss: str = setting("lsgan", "adversarial loss", choices=("vanilla", "lsgan", "hinge", "wgan-gp"))
    lambda_gp: float = setting(10.0, "weight of wgan-gp's gradient penalty", low=0)

    def check(self) -> None:
        super().check()
        if self.batch_size % self.accumulate:
            fits = max(n for n in range(1, self.accumulate) if self.batch_size % n == 0)
            raise UsageError(
                f"accumulate {self.accumulate} does not cut batch_size {self.batch_size} into equal parts:"
                f" use --accumulate {fits}"
            )
        self._check_penalty()
        self._check_size()

    def _check_penalty(self) -> None:
        if self.gan_loss == "wgan-gp" and self.norm == "batch":
            raise UsageError(
                "gan_loss wgan-gp penalises each image alone, norm batch mixes them: use --norm instance"
            )

    def _check_size(self) -> None:
        size = self.image_size
        if size < self.min_image_size:
            raise UsageError(
                f"image_size {size} is under {self.min_image_size}, the least that a PatchGAN of"
                f" {self.d_layers} layers can judge: use a larger --image-size or fewer --d-layers"
            )
        multiple = self.size_multiple
        if size % multiple:
            below = size // multiple * multiple
            sizes = " or ".join(str(fit) for fit in (below, below + multiple) if fit)
            fewer = ", or fewer --levels" if self.generator in LEVELLED else ""
            raise UsageError(
                f"image_size {size} is not a multiple of {multiple}, which the {self.generator}"
                f" needs: use --image-size {sizes}{fewer}"
            )

    @property
    def accumulation_steps(self) -> int:
        return self.accumulate

    @property
    def depth(self) -> int:
        """Blocks of a ResNet, levels of the others."""
        if self.generator == "resnet":
            return self.blocks if self.blocks is not None else (6 if self.image_size <= 128 else 9)
        if self.generator in LEVELLED:
            return self.levels or min(8, self.image_size.bit_length() - 1)
        return 5  # halvings, of those whose form is fixed

    @property
    def size_multiple(self) -> int:
        """Each side of an image must be a multiple of this, in pixels."""
        return 4 if self.generator == "resnet" else 2**self.depth

    @property
    def min_image_size(self) -> int:
        """The smallest side that the networks can take while training, in pixels."""
        return 3 * 2**self.d_layers if self.discriminator == "patch" else 8

    @property
    def resize_to(self) -> int:
        """Side to which an image is resized before the crop, in pixels."""
        return self.load_size or round(self.image_size * RESIZE_MARGIN)

    @property
    def applied_statistics(self) -> str:
        """Return what batch norm uses in the finished model: `picture` or `running`."""
        if self.statistics == "auto":
            return "picture" if self.batch_size == 1 else "running"
        return self.statistics


@dataclass(kw_only=True)
class TranslationConfig(ImageTrainConfig):
    """Settings of the recipes that turn images of one kind into the other."""

    domain_a: str | None = setting(
        None, "folder of images of kind A, or tar files", flag="--domainA", resumable=True
    )
    domain_b: str | None = setting(
        None, "folder of images of kind B, or tar files", flag="--domainB", resumable=True
    )
    direction: str = setting("AtoB", "what is turned into what", choices=DIRECTIONS)

    @property
    def data_source(self) -> str:
        return self.data or f"{self.domain_a} and {self.domain_b}"


@dataclass(kw_only=True)
class PhotoTrainConfig(ImageTrainConfig):
    """Settings that colorize and inpaint share."""

    preprocess: str = with_default(ImageTrainConfig, "preprocess", "random_resized_crop")
    batch_size: int = with_default(ImageTrainConfig, "batch_size", 16)
    norm: str = with_default(ImageTrainConfig, "norm", "instance")
    initialization: str = with_default(ImageTrainConfig, "initialization", "own")
    lr: float = with_default(ImageTrainConfig, "lr", 5e-4)
    beta1: float = with_default(ImageTrainConfig, "beta1", 0.9)
    lr_schedule: str = with_default(ImageTrainConfig, "lr_schedule", "cosine")
