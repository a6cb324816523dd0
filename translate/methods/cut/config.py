"""The settings of CUT and FastCUT."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import ContrastiveConfig, setting, with_default
from translate.errors import UsageError


@dataclass(kw_only=True)
class CUTConfig(ContrastiveConfig):
    """Unpaired translation in one direction by PatchNCE (arXiv:2007.15651)."""

    nce_layers: str | None = with_default(
        ContrastiveConfig,
        "nce_layers",
        None,
        help="layers of the generator whose features PatchNCE compares; 0 is the image, others count the"
        " layers of the encoder and then the blocks [default: 4,8,12,16, as far as the blocks reach; the"
        " published 0,4,8,12,16 also compares the colours of the image itself]",
    )
    lambda_gan: float = setting(1.0, "weight of the adversarial loss, above 0", low=0, group="losses")
    nce_identity: bool = setting(
        True,
        "also compare images of the target domain with their own translations, which should keep them; both"
        " parts then count half",
        group="losses",
    )
    flip_equivariance: bool = setting(
        False,
        "translate half of the batches mirrored, and compare them with the images as they are",
        group="losses",
    )
    all_negatives: bool = setting(
        False, "compare a patch with those of all images of the batch, not only of its own", group="losses"
    )

    def check(self) -> None:
        super().check()
        if self.lambda_gan == 0:
            raise UsageError(
                "lambda_gan 0 leaves no loss that draws translations to the target domain, and the generator"
                " would learn to return its input: use --lambda-gan 1"
            )
        if self.channels[0] != self.channels[1]:
            raise UsageError(
                f"in_channels {self.channels[0]} and out_channels {self.channels[1]} differ, and PatchNCE"
                " compares features of an image and of its translation in one network: give both the same"
                " number"
            )


@dataclass(kw_only=True)
class FastCUTConfig(CUTConfig):
    """Unpaired translation in one direction by PatchNCE, without the identity part (arXiv:2007.15651)."""

    epochs: int = with_default(CUTConfig, "epochs", 200)
    lr_decay: float = with_default(CUTConfig, "lr_decay", 0.25)
    lambda_nce: float = with_default(
        CUTConfig,
        "lambda_nce",
        2.0,
        help="weight of PatchNCE; the published 10 is unstable on some datasets",
    )
    nce_identity: bool = with_default(CUTConfig, "nce_identity", False)
    flip_equivariance: bool = with_default(CUTConfig, "flip_equivariance", True)
