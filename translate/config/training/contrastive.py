"""The settings of unpaired translation by PatchNCE, which CUT, FastCUT and DCLGAN share."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import setting, with_default
from translate.config.training.unpaired import UnpairedConfig
from translate.errors import UsageError

DEFAULT_LAYERS = (4, 8, 12, 16)
ENCODER_LAYERS = {"strided": 10, "blur": 12}  # Layers of the ResNet in front of its blocks, by downsampling.


@dataclass(kw_only=True)
class ContrastiveConfig(UnpairedConfig):
    """The settings of unpaired translation by PatchNCE. The defaults are those of CUT (arXiv:2007.15651)."""

    epochs: int = with_default(UnpairedConfig, "epochs", 400)
    generator: str = with_default(
        UnpairedConfig,
        "generator",
        "resnet",
        help="architecture of the generator; PatchNCE compares features of a ResNet",
        choices=("resnet",),
    )
    downsample: str = with_default(UnpairedConfig, "downsample", "blur")
    upsample: str = with_default(UnpairedConfig, "upsample", "blur")
    d_downsample: str = with_default(UnpairedConfig, "d_downsample", "blur")
    initialization: str = with_default(UnpairedConfig, "initialization", "xavier")
    ema: float = with_default(
        UnpairedConfig,
        "ema",
        0.999,
        help="decay of the exponential moving average of the generator's weights; 0: off, as published",
    )
    lambda_nce: float = setting(1.0, "weight of PatchNCE", low=0, group="losses")
    nce_layers: str | None = setting(
        None,
        "layers of the generator whose features PatchNCE compares; 0 is the image, others count the layers of"
        " the encoder and then the blocks, as CUT does [default: 4,8,12,16, as far as the blocks reach]",
        metavar="N,N,...",
        group="losses",
    )
    nce_patches: int = setting(
        256, "patches of each layer that PatchNCE compares", low=2, high=65536, group="losses"
    )
    nce_width: int = setting(256, "length of a patch's embedding", low=1, high=4096, group="networks")
    nce_temperature: float = setting(
        0.07, "temperature of PatchNCE, which divides similarities", low=0.001, group="losses"
    )
    lr_f: float | None = setting(
        None,
        "learning rate of the projection heads of PatchNCE [default: lr]",
        low=0,
        group="optimization",
        resumable=True,
    )
    beta1_f: float | None = setting(
        None, "beta1 of the projection heads [default: beta1]", low=0, high=0.9999, group="optimization"
    )
    beta2_f: float | None = setting(
        None, "beta2 of the projection heads [default: beta2]", low=0, high=0.999999, group="optimization"
    )

    def check(self) -> None:
        super().check()
        layers = self.feature_layers
        if layers != tuple(sorted(set(layers))) or not 0 <= layers[0] <= layers[-1] < self.layer_count:
            raise UsageError(
                f"nce_layers {self.nce_layers} must ascend, from 0 to {self.layer_count - 1} for a ResNet of"
                f" {self.depth} blocks: use --nce-layers {','.join(map(str, self._default_layers))}"
            )

    @property
    def layer_count(self) -> int:
        """Return the number of layers of the generator's encoder and blocks."""
        return ENCODER_LAYERS[self.downsample] + self.depth

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """Return the layers whose features PatchNCE compares."""
        if self.nce_layers is None:
            return self._default_layers
        try:
            return tuple(int(number) for number in self.nce_layers.split(","))
        except ValueError:
            raise UsageError(
                f"nce_layers is {self.nce_layers!r}, but must be numbers of layers with commas between them:"
                f" {','.join(map(str, self._default_layers))}"
            ) from None

    @property
    def _default_layers(self) -> tuple[int, ...]:
        return tuple(layer for layer in DEFAULT_LAYERS if layer < self.layer_count)
