"""The settings by which a discriminator learns from little data, and the preset that chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from translate.config.schema import convert, setting, setting_fields
from translate.config.training import TrainConfig
from translate.errors import UsageError

SMALL_DATA_IMAGES = 100  # Domains with fewer training images get a hint to the preset.
PRESET = {"diffaugment": True}  # What `small_data` sets, where the user sets nothing else.


@dataclass(kw_only=True)
class SmallDataConfig(TrainConfig):
    """The settings of augmenting what a discriminator sees, against overfitting to a small dataset."""

    small_data: bool = setting(
        False,
        f"settings for fewer than {SMALL_DATA_IMAGES} images a domain: sets diffaugment, unless you give it"
        " or, where a recipe has it, ada",
        group="data",
        common=True,
    )
    diffaugment: bool = setting(
        False,
        "DiffAugment: augment what the discriminator sees, for small datasets (arXiv:2006.10738)",
        group="augmentation",
    )
    ada: bool = setting(
        False,
        "adaptive augmentation of what the discriminator sees, stronger the more it overfits"
        " (arXiv:2006.06676)",
        group="augmentation",
    )
    ada_target: float = setting(
        0.6,
        "overfitting that --ada aims at: mean sign of the scores of training images, 0: none, 1: complete",
        low=0,
        high=1,
        group="augmentation",
    )

    @classmethod
    def complete(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        return expand_small_data(cls, given)

    def check(self) -> None:
        super().check()
        if self.ada and self.diffaugment:
            raise UsageError(
                "ada and diffaugment both augment what the discriminator sees: give only one of them"
            )
        if given := [name for name in ("small_data", "diffaugment", "ada") if getattr(self, name)]:
            self._check_discriminator(given[0])

    def _check_discriminator(self, name: str) -> None:
        if not self.has_discriminator:
            raise UsageError(
                f"{name} is for a discriminator, and lambda_gan 0 trains without one:"
                f" use --lambda-gan 0.1, or leave --{name.replace('_', '-')} out"
            )

    @property
    def has_discriminator(self) -> bool:
        """Return whether the settings train a discriminator at all."""
        return True


def expand_small_data(
    config_class: type[TrainConfig], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Add the settings that `small_data` stands for to those that the user gave, which win.

    Returns:
        The settings, and a line for the log; without `small_data`, the same settings and no line.
    """
    fields = {field.name: field for field in setting_fields(config_class)}

    def is_on(name: str) -> bool:
        return name in fields and bool(convert(fields[name], bool, given.get(name, False)))

    chosen = {name: value for name, value in PRESET.items() if name not in given}
    if is_on("ada"):  # In place of it.
        chosen.pop("diffaugment", None)
    if not chosen or not is_on("small_data"):
        return dict(given), []
    text = ", ".join(f"{key} {'on' if value is True else value}" for key, value in chosen.items())
    return {**chosen, **given}, [f"small_data sets {text}"]
