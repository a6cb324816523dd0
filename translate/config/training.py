"""The settings of training: what all recipes share, and each recipe's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from translate.config.model import DIRECTIONS, NORMS, UPSAMPLINGS, GeneratorSpec, ModelConfig
from translate.config.schema import Config, setting, with_default
from translate.errors import UsageError

PREPROCESSING = (
    *("resize_and_crop", "random_resized_crop", "crop"),
    *("scale_width", "scale_width_and_crop", "none"),
)
LEVELLED = ("unet", "context")  # generators that halve a picture as often as they are told
RESIZE_MARGIN = 286 / 256  # the reference resizes to 286 and crops 256


@dataclass(kw_only=True)
class TrainConfig(Config):
    """Settings of any training run."""

    data: str | None = setting(None, "folder of the data set, a name under datasets/, or tar files")
    out: str | None = setting(None, "folder of the run [default: runs/RECIPE]")
    epochs: int = setting(200, "passes over the data", low=1, resumable=True)
    steps: int | None = setting(None, "stop after this many steps instead", low=1, resumable=True)
    minutes: float | None = setting(
        None, "stop after this much training time instead", low=0.01, resumable=True
    )
    image_size: int = setting(256, "side of the square training crop, in pixels", low=8, high=4096)
    batch_size: int = setting(1, "pictures of each kind a step", low=1, high=4096)
    seed: int = setting(0, "start of every random draw", low=0, high=2**32 - 1)
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps", resumable=True)
    precision: str = setting(
        "auto",
        "arithmetic of the networks; auto is bf16 where quick",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    compile: str = setting("auto", "compile the networks with torch.compile", choices=("auto", "on", "off"))
    workers: int = setting(
        2, "processes that decode pictures; 0: a thread of the main one", low=0, resumable=True
    )
    cache_size: float = setting(
        10.0,
        "gigabytes of decoded pictures in the cache folder, and as many of tar files from elsewhere; 0: none",
        low=0,
        resumable=True,
    )
    checkpoint_every: int | None = setting(
        None,
        "steps between checkpoints, each with scores and a sample sheet [default: 3 minutes]",
        low=1,
        resumable=True,
    )
    keep_checkpoints: int = setting(2, "newest checkpoints kept, beside the best", low=1, resumable=True)
    init: str | None = setting(None, "start from this model's weights")
    deterministic: bool = setting(False, "repeat bit for bit on a CPU, and on a GPU where torch can")
    recompute: bool = setting(
        False, "forget a generator's layers and compute them again for the gradient: less memory, more time"
    )
    sync_norm: bool = setting(False, "under torchrun: batch norm over the pictures of all processes")
    lr: float = setting(2e-4, "learning rate of Adam", low=0)
    beta1: float = setting(0.5, "Adam's first momentum", low=0, high=0.9999)
    beta2: float = setting(0.999, "Adam's second momentum", low=0, high=0.999999)
    lr_schedule: str = setting(
        "linear", "course of the learning rate", choices=("constant", "linear", "cosine", "step")
    )
    lr_decay: float = setting(0.5, "share of the run over which linear falls to zero", low=0, high=1)
    clip_grad: float | None = setting(None, "largest norm of a gradient", low=0)
    ema: float = setting(0.999, "decay of the averaged generator; 0 is off", low=0, high=0.999999)

    def check(self) -> None:
        if self.steps and self.minutes:
            raise UsageError(
                f"steps {self.steps} and minutes {self.minutes:g} are two lengths: give one of them"
            )

    @property
    def batches_a_step(self) -> int:
        """Batches that one step of the trainer takes."""
        return 1

    @property
    def parts(self) -> int:
        """Parts in which a batch goes through the networks."""
        return 1

    def generator_spec(self) -> GeneratorSpec:
        """The generator that these settings describe."""
        raise NotImplementedError

    def model_config(self, recipe: str, directions: list[str], trained_on: dict[str, Any]) -> ModelConfig:
        """What a model trained with these settings knows of itself."""
        raise NotImplementedError


@dataclass(kw_only=True)
class ImageTrainConfig(TrainConfig):
    """Settings that the image-to-image recipes share."""

    preprocess: str = setting("resize_and_crop", "how a picture becomes a crop", choices=PREPROCESSING)
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
                "gan_loss wgan-gp penalises each picture alone, norm batch mixes them: use --norm instance"
            )

    def _check_size(self) -> None:
        size = self.image_size
        if size < self.least_size:
            raise UsageError(
                f"image_size {size} is under {self.least_size}, the least that a PatchGAN of"
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
    def parts(self) -> int:
        return self.accumulate

    @property
    def channels(self) -> tuple[int, int]:
        """Of the generator's input and output."""
        return 3, 3

    @property
    def pictures(self) -> str:
        """Where the pictures are, in words."""
        return str(self.data)

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
        """Each side of a picture must be a multiple of this, in pixels."""
        return 4 if self.generator == "resnet" else 2**self.depth

    @property
    def least_size(self) -> int:
        """The smallest side that the networks can take while training, in pixels."""
        return 3 * 2**self.d_layers if self.discriminator == "patch" else 8

    @property
    def resize_to(self) -> int:
        """Side to which a picture is resized before the crop, in pixels."""
        return self.load_size or round(self.image_size * RESIZE_MARGIN)

    def generator_spec(self) -> GeneratorSpec:
        """The generator that these settings describe."""
        return GeneratorSpec(
            name=self.generator,
            in_channels=self.channels[0],
            out_channels=self.channels[1],
            width=self.ngf,
            depth=self.depth,
            norm=self.norm,
            dropout=self.dropout,
            upsample=self.upsample,
        )

    def model_config(self, recipe: str, directions: list[str], trained_on: dict[str, Any]) -> ModelConfig:
        """What a model trained with these settings knows of itself."""
        auto = "picture" if self.batch_size == 1 else "running"
        return ModelConfig(
            recipe=recipe,
            generator=self.generator_spec(),
            directions=directions,
            size_multiple=self.size_multiple,
            statistics=auto if self.statistics == "auto" else self.statistics,
            trained_on={"data": self.pictures, "image_size": self.image_size, **trained_on},
        )


@dataclass(kw_only=True)
class TranslationConfig(ImageTrainConfig):
    """Settings of the recipes that turn pictures of one kind into the other."""

    domain_a: str | None = setting(None, "folder of pictures of kind A, or tar files", flag="--domainA")
    domain_b: str | None = setting(None, "folder of pictures of kind B, or tar files", flag="--domainB")
    direction: str = setting("AtoB", "what is turned into what", choices=DIRECTIONS)

    @property
    def pictures(self) -> str:
        return self.data or f"{self.domain_a} and {self.domain_b}"


@dataclass(kw_only=True)
class Pix2PixConfig(TranslationConfig):
    """Paired translation (arXiv:1611.07004)."""

    generator: str = with_default(ImageTrainConfig, "generator", "unet")
    norm: str = with_default(ImageTrainConfig, "norm", "batch")
    dropout: bool = with_default(ImageTrainConfig, "dropout", True)
    gan_loss: str = with_default(ImageTrainConfig, "gan_loss", "vanilla")
    lambda_l1: float = setting(100.0, "weight of the L1 loss", low=0)


@dataclass(kw_only=True)
class CycleGANConfig(TranslationConfig):
    """Unpaired translation (arXiv:1703.10593)."""

    lambda_a: float = setting(10.0, "weight of the cycle A -> B -> A", low=0)
    lambda_b: float = setting(10.0, "weight of the cycle B -> A -> B", low=0)
    lambda_identity: float = setting(0.5, "weight of the identity loss, times the cycle's", low=0)
    pool_size: int = setting(50, "generated pictures kept for the discriminators", low=0, high=10000)

    def check(self) -> None:
        super().check()
        if self.gan_loss == "wgan-gp" and not self.preprocess.endswith("crop"):
            raise UsageError(
                "gan_loss wgan-gp mixes true pictures with made ones of their size, which preprocess"
                f" {self.preprocess} does not see to: use --preprocess resize_and_crop"
            )
