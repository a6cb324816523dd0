"""The settings of colorize."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, PhotoTrainConfig, setting, with_default


@dataclass(kw_only=True)
class ColorizeConfig(PhotoTrainConfig):
    """The settings of colorization (arXiv:1603.08511; with a U-Net, arXiv:1611.07004)."""

    generator: str = with_default(
        ImageTrainConfig, "generator", "colorizer", choices=("colorizer", "unet", "resnet")
    )
    image_size: int = with_default(ImageTrainConfig, "image_size", 160)
    ngf: int = with_default(ImageTrainConfig, "ngf", 128)
    rebalance: float = setting(
        0.1,
        "class rebalancing of the colorizer: 0 weighs all pixels alike, 1 all colours alike",
        low=0,
        high=1,
        group="losses",
    )
    lambda_l1: float = setting(
        100.0, "weight of the L1 loss on a and b (U-Net and ResNet)", low=0, group="losses"
    )
