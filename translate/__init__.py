"""Turn one kind of image into another.

import translate
zebra = translate.load("runs/cyclegan")(photo)
translate.train("pix2pix", data="datasets/facades", direction="BtoA")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translate.errors import TranslateError
from translate.version import __version__

if TYPE_CHECKING:
    from translate.api import Sampler, Translator, load, sampler, train
    from translate.evaluation import evaluate

__all__ = [
    "Sampler",
    "TranslateError",
    "Translator",
    "__version__",
    "evaluate",
    "load",
    "sampler",
    "train",
]


def __dir__() -> list[str]:
    """List what there is, also what is not imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import torch when it is first needed, not with the package."""
    if name == "evaluate":
        from translate.evaluation import evaluate

        return evaluate
    if name in ("Sampler", "Translator", "load", "sampler", "train"):
        from translate import api

        return getattr(api, name)
    raise AttributeError(f"module 'translate' has no attribute {name!r}")
