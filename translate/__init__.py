"""Image-to-image translation with GANs: train models, and apply them to images of any size.

import translate

translate.train("pix2pix", data="datasets/facades", direction="BtoA")
zebra = translate.load("runs/cyclegan")(photo)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translate.errors import TranslateError
from translate.version import __version__

if TYPE_CHECKING:
    from translate.api import Sampler, Translator, load, sampler, train
    from translate.evaluation import evaluate
    from translate.images.steganography import hide, reveal

__all__ = [
    "Sampler",
    "TranslateError",
    "Translator",
    "__version__",
    "evaluate",
    "hide",
    "load",
    "reveal",
    "sampler",
    "train",
]


def __dir__() -> list[str]:
    """List all names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `import translate` does not import torch."""
    if name == "evaluate":
        from translate.evaluation import evaluate

        return evaluate
    if name in ("hide", "reveal"):
        from translate.images import steganography

        return getattr(steganography, name)
    if name in ("Sampler", "Translator", "load", "sampler", "train"):
        from translate import api

        return getattr(api, name)
    raise AttributeError(f"module 'translate' has no attribute {name!r}")
