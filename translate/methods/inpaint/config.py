"""The settings of inpaint."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ImageTrainConfig, PhotoTrainConfig, setting, with_default
from translate.errors import UsageError

HOLES = ("all", "strokes", "boxes", "blobs", "outlines")


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
