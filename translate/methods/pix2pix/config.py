"""The settings of pix2pix."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, TranslationConfig, setting, with_default
from translate.errors import UsageError

LAMBDA_SMOOTH = 50.0  # Half of `lambda_l1`, as in RegGAN.


@dataclass(kw_only=True)
class Pix2PixConfig(TranslationConfig):
    """Paired translation (arXiv:1611.07004)."""

    generator: str = with_default(ImageTrainConfig, "generator", "unet")
    norm: str = with_default(ImageTrainConfig, "norm", "batch")
    dropout: bool = with_default(ImageTrainConfig, "dropout", True)
    gan_loss: str = with_default(ImageTrainConfig, "gan_loss", "vanilla")
    lambda_l1: float = setting(100.0, "weight of the L1 loss", low=0, group="losses")
    align: bool = setting(
        False,
        "for pairs that do not quite align: train a network that finds how each target is shifted and bent"
        " against its input, and warp the translation in the same way before they are compared (RegGAN,"
        " arXiv:2110.06465); the finished model does not contain it",
    )
    lambda_smooth: float = setting(
        LAMBDA_SMOOTH,
        "weight of the smoothness of the warps of --align, beside lambda_l1 for their error",
        low=0,
        group="losses",
    )

    def check(self) -> None:
        super().check()
        if self.lambda_smooth != LAMBDA_SMOOTH and not self.align:
            raise UsageError(
                f"lambda_smooth {self.lambda_smooth:g} is for the warps of align, which is off: give --align,"
                " or leave it out"
            )
