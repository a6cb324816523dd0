"""The registry of training methods, the only list of them.

Settings and tasks are imported when they are used. Other packages register a method by an entry point of the
group `translate.methods`, whose object is a `Method`.
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
    """A registered training method.

    Attributes:
        about: a few words for the help, after "Train".
        config: `module:Class` of the settings; the module imports no torch.
        task: `module:NAME` of the task.
    """

    about: str
    config: str
    task: str

    def config_class(self) -> type[TrainConfig]:
        """Import the class of the settings."""
        config_class: type[TrainConfig] = _import_object(self.config)
        return config_class

    def load_task(self) -> Task:
        """Import the task, and torch with it."""
        task: Task = _import_object(self.task)
        return task


def _method(folder: str, about: str, config: str, task: str = "TASK") -> Method:
    module = f"translate.methods.{folder}"
    return Method(about, f"{module}.config:{config}", f"{module}.task:{task}")


METHODS = {
    "pix2pix": _method("pix2pix", "paired image-to-image translation", "Pix2PixConfig"),
    "cyclegan": _method("cyclegan", "unpaired image-to-image translation", "CycleGANConfig"),
    "cut": _method("cut", "unpaired translation in one direction", "CUTConfig"),
    "fastcut": _method("cut", "unpaired translation in one direction, faster", "FastCUTConfig"),
    "dclgan": _method("dclgan", "unpaired translation in both directions by contrast", "DCLGANConfig"),
    "stargan": _method("stargan", "translation between several domains", "StarGANConfig"),
    "colorize": _method("colorize", "colorization of gray photos", "ColorizeConfig"),
    "inpaint": _method("inpaint", "inpainting of holes in photos", "InpaintConfig"),
    "gan": _method("gan", "image generation from noise", "GANConfig", "GAN_TASK"),
    "dcgan": _method("gan", "image generation by a convolutional GAN", "DCGANConfig", "GAN_TASK"),
    "cgan": _method("gan", "image generation by class", "CGANConfig", "CGAN_TASK"),
    "biggan": _method("biggan", "image generation by class with large networks", "BigGANConfig"),
    "wgan": _method("gan", "image generation by the Wasserstein distance", "WGANConfig", "WGAN_TASK"),
    "wgan-gp": _method("gan", "a WGAN with gradient penalty", "WGANGPConfig", "WGANGP_TASK"),
    "infogan": _method("gan", "image generation with learned codes", "InfoGANConfig", "INFOGAN_TASK"),
    "progan": _method("progan", "image generation by a GAN that grows level by level", "ProGANConfig"),
    "stylegan2": _method("stylegan2", "image generation by styles", "StyleGAN2Config"),
    "ssgan": _method("ssgan", "image generation for covers of hidden messages", "SSGANConfig"),
    "3dgan": _method("gan3d", "generation of volumes (3-D shapes)", "GAN3DConfig"),
}


def method_names() -> list[str]:
    """Return the names of all methods, those of this package first."""
    return list(dict.fromkeys([*METHODS, *_entry_points()]))


def find_method(name: str) -> Method:
    """Find a method by its name.

    Raises:
        UsageError: there is no such method.
        TranslateError: the package of the method cannot be imported.
    """
    if name in METHODS:
        return METHODS[name]
    if name not in _entry_points():
        raise UsageError(f"no recipe {name!r}{nearest(name, method_names())}")
    point = _entry_points()[name]
    try:
        method = point.load()
    except Exception as error:  # Another package may raise anything.
        raise TranslateError(
            f"the recipe {name!r} cannot be imported from {point.value} ({error}):"
            " fix or uninstall that package"
        ) from error
    if not isinstance(method, Method):
        raise TranslateError(
            f"the recipe {name!r} is a {type(method).__name__} in {point.value}, but must be a"
            " translate.methods.registry.Method: fix or uninstall that package"
        )
    return method


@cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the entry points of the methods of other packages that are installed, by name."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {point.name: point for point in sorted(points, key=lambda point: point.name)}


def _import_object(path: str) -> Any:
    """Import an object by its path, `module:NAME`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
