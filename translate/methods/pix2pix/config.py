"""The settings of pix2pix."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, TranslationConfig, setting, with_default


@dataclass(kw_only=True)
class Pix2PixConfig(TranslationConfig):
    """Paired translation (arXiv:1611.07004)."""

    generator: str = with_default(ImageTrainConfig, "generator", "unet")
    norm: str = with_default(ImageTrainConfig, "norm", "batch")
    dropout: bool = with_default(ImageTrainConfig, "dropout", True)
    gan_loss: str = with_default(ImageTrainConfig, "gan_loss", "vanilla")
    lambda_l1: float = setting(100.0, "weight of the L1 loss", low=0, group="losses")
