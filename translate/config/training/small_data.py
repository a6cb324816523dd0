"""The settings by which a discriminator learns from little data, and their preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from translate.config.schema import convert, setting, setting_fields
from translate.config.training.base import TrainConfig
from translate.errors import UsageError

SMALL_DATA_IMAGES = 100  # Domains with fewer training images get a hint to the preset.
PRESET = {"ndf": 16}  # What `small_data` sets, where the user sets nothing else.


@dataclass(kw_only=True)
class SmallDataConfig(TrainConfig):
    """The settings of a discriminator against overfitting to a small dataset."""

    small_data: bool = setting(
        False,
        f"settings for fewer than {SMALL_DATA_IMAGES} images a domain: sets ndf {PRESET['ndf']}, a narrower"
        " discriminator, unless you give it",
        group="data",
        common=True,
    )
    diffaugment: bool = setting(
        False,
        "DiffAugment: augment what the discriminator sees, for small datasets (arXiv:2006.10738)",
        group="augmentation",
    )

    @classmethod
    def complete(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Add the settings that `small_data` stands for to those that the user gave, which win."""
        (field,) = (field for field in setting_fields(cls) if field.name == "small_data")
        chosen = {name: value for name, value in PRESET.items() if name not in given}
        if not chosen or not convert(field, bool, given.get("small_data", False)):
            return super().complete(given)
        text = ", ".join(f"{name} {value}" for name, value in chosen.items())
        settings, lines = super().complete({**chosen, **given})
        return settings, [f"small_data sets {text}", *lines]

    def check(self) -> None:
        super().check()
        for name in ("small_data", "diffaugment"):
            self.check_discriminator(name)

    def check_discriminator(self, name: str) -> None:
        """Refuse a setting that is on and augments what a discriminator sees, where there is none."""
        if getattr(self, name) and not self.has_discriminator:
            raise UsageError(
                f"{name} is for a discriminator, and lambda_gan 0 trains without one:"
                f" use --lambda-gan 0.1, or leave --{name.replace('_', '-')} out"
            )

    @property
    def has_discriminator(self) -> bool:
        """Return whether the settings train a discriminator at all."""
        return True
