"""The only list of methods: a name, and where its settings and its task are found when they are used.

Other packages add methods by the entry point group `translate.methods`: a name, and a `Method`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from translate.errors import TranslateError, UsageError, nearest

if TYPE_CHECKING:
    from translate.config import TrainConfig
    from translate.methods.task import Task

ENTRY_POINTS = "translate.methods"


@dataclass(frozen=True)
class Method:
    """A trainable method.

    Attributes:
        about: a few words for help, after "Train".
        config: `module:Class` of its settings; the module imports no torch.
        task: `module:NAME` of its task.
    """

    about: str
    config: str
    task: str

    def config_class(self) -> type[TrainConfig]:
        """Import the class of its settings."""
        kind: type[TrainConfig] = _named(self.config)
        return kind

    def load_task(self) -> Task:
        """Import its data, trainer and validation, and torch with them."""
        task: Task = _named(self.task)
        return task


def _in(folder: str, about: str, config: str, task: str = "TASK") -> Method:
    module = f"translate.methods.{folder}"
    return Method(about, f"{module}.config:{config}", f"{module}.task:{task}")


METHODS = {
    "pix2pix": _in("pix2pix", "paired translation", "Pix2PixConfig"),
    "cyclegan": _in("cyclegan", "unpaired translation", "CycleGANConfig"),
    "colorize": _in("colorize", "colour for gray photos", "ColorizeConfig"),
    "inpaint": _in("inpaint", "filling holes in photos", "InpaintConfig"),
    "gan": _in("gan", "images from noise", "GANConfig", "GAN_TASK"),
    "dcgan": _in("gan", "images from noise, by convolutions", "DCGANConfig", "GAN_TASK"),
    "cgan": _in("gan", "images of a class", "CGANConfig", "CGAN_TASK"),
    "wgan": _in("gan", "images from noise, by distance", "WGANConfig", "WGAN_TASK"),
    "wgan-gp": _in("gan", "the same, with a gradient penalty", "WGANGPConfig", "WGANGP_TASK"),
    "infogan": _in("gan", "images from codes that are found", "InfoGANConfig", "INFOGAN_TASK"),
}


def method_names() -> list[str]:
    """Return the names of all methods, those of this package first."""
    return list(dict.fromkeys([*METHODS, *_entry_points()]))


def find_method(name: str) -> Method:
    """Find a method by its name.

    Raises:
        UsageError: there is none.
        TranslateError: the package that brings it cannot be imported.
    """
    if name in METHODS:
        return METHODS[name]
    if name not in _entry_points():
        raise UsageError(f"no recipe {name!r}{nearest(name, method_names())}")
    point = _entry_points()[name]
    try:
        method = point.load()
    except Exception as error:  # a package of somebody else may raise anything
        raise TranslateError(
            f"the method {name!r} cannot be imported from {point.value} ({error}):"
            " mend or remove that package"
        ) from error
    if not isinstance(method, Method):
        raise TranslateError(
            f"the method {name!r} is a {type(method).__name__} in {point.value}, but must be a"
            " translate.methods.registry.Method"
        )
    return method


@cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the methods of other packages that are installed, by name."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
