"""The settings of the recipes that train on photos: colorize and inpaint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from translate.config.model import ModelConfig
from translate.config.schema import setting, with_default
from translate.config.training import ImageTrainConfig
from translate.errors import UsageError

HOLES = ("all", "strokes", "boxes", "blobs", "outlines")


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


@dataclass(kw_only=True)
class ColorizeConfig(PhotoTrainConfig):
    """Colour for gray photos (arXiv:1603.08511; with a U-Net, arXiv:1611.07004)."""

    generator: str = with_default(
        ImageTrainConfig, "generator", "colorizer", choices=("colorizer", "unet", "resnet")
    )
    image_size: int = with_default(ImageTrainConfig, "image_size", 160)
    ngf: int = with_default(ImageTrainConfig, "ngf", 128)
    rebalance: float = setting(
        0.1, "how much more rare colours weigh than common ones (colorizer)", low=0, high=1
    )
    lambda_l1: float = setting(100.0, "weight of the L1 loss on a and b (U-Net and ResNet)", low=0)
    lambda_gan: float = setting(0.0, "weight of the adversarial loss", low=0)

    @property
    def channels(self) -> tuple[int, int]:
        return 1, 2

    def model_config(self, recipe: str, directions: list[str], trained_on: dict[str, Any]) -> ModelConfig:
        known = super().model_config(recipe, directions, trained_on)
        return known.replace(color="Lab", working_size=max(256, self.image_size))


@dataclass(kw_only=True)
class InpaintConfig(PhotoTrainConfig):
    """What a hole may have held (hole-weighted as in arXiv:1804.07723; context encoder arXiv:1604.07379)."""

    generator: str = with_default(
        ImageTrainConfig, "generator", "inpainter", choices=("inpainter", "context")
    )
    image_size: int = with_default(ImageTrainConfig, "image_size", 128)
    ngf: int = with_default(ImageTrainConfig, "ngf", 32)
    holes: str = setting("all", "what the holes look like", choices=HOLES)
    lambda_hole: float = setting(6.0, "weight of the L1 loss in the hole", low=0)
    lambda_valid: float = setting(1.0, "weight of the L1 loss outside of it", low=0)
    lambda_l2: float = setting(0.0, "weight of the L2 loss in the hole", low=0)
    lambda_gan: float = setting(0.0, "weight of the adversarial loss", low=0)
    lambda_features: float = setting(0.0, "weight of the difference in a backbone's features", low=0)
    features: str = setting("colorize", "model of colorize whose backbone gives those features")

    def check(self) -> None:
        super().check()
        if self.generator == "context" and self.batch_size == 1:
            raise UsageError(
                "batch_size 1 gives the bottleneck's batch norm nothing to compare: use --batch-size 2"
            )

    @property
    def channels(self) -> tuple[int, int]:
        return 4, 3

    def model_config(self, recipe: str, directions: list[str], trained_on: dict[str, Any]) -> ModelConfig:
        known = super().model_config(recipe, directions, trained_on)
        return known.replace(mask=True)
