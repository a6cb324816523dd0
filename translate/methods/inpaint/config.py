"""The settings of inpaint."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, PhotoTrainConfig, setting, with_default
from translate.errors import UsageError

HOLES = ("all", "strokes", "boxes", "blobs", "outlines")


@dataclass(kw_only=True)
class InpaintConfig(PhotoTrainConfig):
    """The settings of inpainting (losses of arXiv:1804.07723; context encoder, arXiv:1604.07379)."""

    generator: str = with_default(
        ImageTrainConfig, "generator", "inpainter", choices=("inpainter", "context")
    )
    image_size: int = with_default(ImageTrainConfig, "image_size", 128)
    ngf: int = with_default(ImageTrainConfig, "ngf", 32)
    holes: str = setting(
        "all", "shape of the holes that training masks have", choices=HOLES, group="augmentation"
    )
    lambda_hole: float = setting(6.0, "weight of the L1 loss inside the hole", low=0, group="losses")
    lambda_valid: float = setting(1.0, "weight of the L1 loss outside the hole", low=0, group="losses")
    lambda_l2: float = setting(0.0, "weight of the L2 loss inside the hole", low=0, group="losses")
    lambda_features: float = setting(
        0.0, "weight of the perceptual loss (features of a backbone); 0: none", low=0, group="losses"
    )
    features: str = setting(
        "colorize",
        "model of colorize whose backbone computes the perceptual loss",
        metavar="MODEL",
        group="losses",
    )

    def check(self) -> None:
        super().check()
        if self.generator == "context" and self.batch_size == 1:
            raise UsageError(
                "batch_size 1 is too small for the batch norm of the context encoder:"
                " use --batch-size 2 or more"
            )
