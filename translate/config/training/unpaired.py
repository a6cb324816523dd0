"""The settings of translation between two folders of images that are no pairs."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import setting
from translate.config.training.images import TranslationConfig
from translate.errors import UsageError


@dataclass(kw_only=True)
class UnpairedConfig(TranslationConfig):
    """The settings of methods that learn from images without pairs."""

    def check(self) -> None:
        super().check()
        if self.compares_images and not self.preprocess.endswith("crop"):
            raise UsageError(
                f"gan_loss {self.gan_loss} needs crops of one size, but preprocess is {self.preprocess}:"
                " use --preprocess resize_and_crop"
            )


@dataclass(kw_only=True)
class TwoWayConfig(UnpairedConfig):
    """The settings of methods that train a generator for each direction."""

    init_back: str | None = setting(
        None,
        "start the direction that the model of --init does not have from the weights of this model",
        metavar="MODEL",
        group="run",
    )

    def check(self) -> None:
        super().check()
        if self.init_back and not self.init:
            raise UsageError(
                f"init_back {self.init_back} is for the direction that a model of --init does not have, and"
                " there is no --init: use --init"
            )
        if self.channels[0] != self.channels[1]:
            raise UsageError(
                f"in_channels {self.channels[0]} and out_channels {self.channels[1]} differ, and this recipe"
                " translates both ways by generators of one architecture: give both the same number"
            )

    @property
    def init_models(self) -> list[str]:
        return [model for model in (self.init, self.init_back) if model]
