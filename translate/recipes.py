"""The only list of recipes: a name, its settings, and where the rest is found when it is used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.config import (
    CGANConfig,
    ColorizeConfig,
    CycleGANConfig,
    DCGANConfig,
    GANConfig,
    InfoGANConfig,
    InpaintConfig,
    Pix2PixConfig,
    TrainConfig,
    WGANConfig,
    WGANGPConfig,
)
from translate.errors import UsageError, nearest

if TYPE_CHECKING:
    from translate.tasks.task import Task


@dataclass(frozen=True)
class Recipe:
    """A trainable method."""

    about: str
    config: type[TrainConfig]
    where: str

    def task(self) -> Task:
        """Its data, trainer and scores; imports torch."""
        module, name = self.where.split(":")
        task: Task = getattr(importlib.import_module(module), name)
        return task


RECIPES = {
    "pix2pix": Recipe("paired translation", Pix2PixConfig, "translate.tasks.translation:PIX2PIX"),
    "cyclegan": Recipe("unpaired translation", CycleGANConfig, "translate.tasks.translation:CYCLEGAN"),
    "colorize": Recipe("colour for gray photos", ColorizeConfig, "translate.tasks.photos:COLORIZE"),
    "inpaint": Recipe("filling holes in photos", InpaintConfig, "translate.tasks.photos:INPAINT"),
    "gan": Recipe("pictures from noise", GANConfig, "translate.tasks.noise:GAN"),
    "dcgan": Recipe("pictures from noise, by convolutions", DCGANConfig, "translate.tasks.noise:GAN"),
    "cgan": Recipe("pictures of a class", CGANConfig, "translate.tasks.noise:CGAN"),
    "wgan": Recipe("pictures from noise, by distance", WGANConfig, "translate.tasks.noise:WGAN"),
    "wgan-gp": Recipe("the same, with a gradient penalty", WGANGPConfig, "translate.tasks.noise:WGANGP"),
    "infogan": Recipe("pictures from codes that are found", InfoGANConfig, "translate.tasks.noise:INFOGAN"),
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"no recipe {name!r}{nearest(name, RECIPES)}")
    return RECIPES[name]
