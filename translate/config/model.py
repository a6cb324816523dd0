"""What a model knows of itself: the content of its `config.json`."""

from __future__ import annotations

import dataclasses
from typing import Any

from translate.config.schema import Config, setting
from translate.errors import UsageError

DIRECTIONS = ("AtoB", "BtoA")
FROM_NOISE = "sample"  # the one direction of a model that makes pictures from noise
NORMS = ("batch", "instance", "none")
UPSAMPLINGS = ("deconv", "resize")
GENERATORS = ("resnet", "unet", "colorizer", "inpainter", "context", "identity", "dcgan", "mlp")


@dataclasses.dataclass(kw_only=True)
class GeneratorSpec(Config):
    """All that building a generator takes."""

    name: str = setting("resnet", "architecture", choices=GENERATORS)
    in_channels: int = setting(3, "channels of the input picture, or numbers of the noise", low=1, high=8192)
    out_channels: int = setting(3, "channels of the output picture", low=1, high=64)
    width: int = setting(64, "channels of the outermost layer (ngf)", low=1, high=1024)
    depth: int = setting(9, "residual blocks of a ResNet, levels of the others", low=0, high=64)
    norm: str = setting("instance", "normalisation", choices=(*NORMS, "instance-affine"))
    dropout: bool = setting(False, "dropout in the middle blocks while training")
    upsample: str = setting("deconv", "how the decoder enlarges", choices=UPSAMPLINGS)


@dataclasses.dataclass(kw_only=True)
class ModelConfig(Config):
    """A model's own account of itself; applying it needs nothing else."""

    recipe: str = setting("", "recipe that trained it")
    version: str = setting("", "version of translate that wrote it")
    generator: GeneratorSpec = dataclasses.field(default_factory=GeneratorSpec)
    directions: list[str] = dataclasses.field(default_factory=lambda: ["AtoB"])
    color: str = setting("RGB", "colour space of input and output", choices=("RGB", "Lab"))
    mask: bool = setting(False, "whether the last channel of the input is a mask, 1 in the hole")
    working_size: int | None = setting(
        None, "shorter side to which a picture is scaled for the network, in pixels; None: its own", low=1
    )
    saturation: float = setting(1.0, "factor of a and b with which the model does best", low=0)
    noise: int = setting(0, "numbers of N(0, 1) noise in the input; 0: it is a picture", low=0)
    classes: list[str] = dataclasses.field(default_factory=list)  # to ask for: one-hot after the noise
    categories: int = setting(0, "values of the categorical code: one-hot after the noise", low=0)
    codes: int = setting(0, "continuous codes, in [-1, 1], after all else", low=0)
    value_range: str = setting("-1..1", "what the network calls black and white", choices=("-1..1",))
    size_multiple: int = setting(4, "each side must be a multiple of this, in pixels", low=1, high=65536)
    statistics: str = setting(
        "picture",
        "what a batch norm uses when applied: the picture's own statistics or the training run's",
        choices=("picture", "running"),
    )
    dropout_when_applied: str = setting("off", "dropout never acts when a model is applied", choices=("off",))
    trained_on: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        possible = (FROM_NOISE,) if self.noise else DIRECTIONS
        known = isinstance(self.directions, list) and all(d in possible for d in self.directions)
        if not known or not self.directions:
            raise UsageError(f"directions is {self.directions!r}, but must be a list of {possible}")
        if not isinstance(self.classes, list) or not all(isinstance(name, str) for name in self.classes):
            raise UsageError(f"classes is {self.classes!r}, but must be a list of names")
