"""Apply a model: to one image, to folders of them, and to noise."""

import importlib
from typing import TYPE_CHECKING, Any

from translate.inference.batch.outcome import Outcome

if TYPE_CHECKING:
    from translate.inference.batch.folder import translate_file, translate_files, translate_folder
    from translate.inference.predictors.base import Predictor
    from translate.inference.predictors.generation import Sampler
    from translate.inference.predictors.registry import (
        PREDICTORS,
        SAMPLERS,
        load_predictor,
        load_sampler,
    )
    from translate.inference.predictors.volumes.sampler import VolumeSampler

__all__ = [
    "PREDICTORS",
    "SAMPLERS",
    "Outcome",
    "Predictor",
    "Sampler",
    "VolumeSampler",
    "load_predictor",
    "load_sampler",
    "translate_file",
    "translate_files",
    "translate_folder",
]


_MODULES = {
    "PREDICTORS": "predictors.registry",
    "Predictor": "predictors.base",
    "SAMPLERS": "predictors.registry",
    "Sampler": "predictors.generation",
    "VolumeSampler": "predictors.volumes.sampler",
    "load_predictor": "predictors.registry",
    "load_sampler": "predictors.registry",
    "translate_file": "batch.folder",
    "translate_files": "batch.folder",
    "translate_folder": "batch.folder",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the processes that decode images do not import torch."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"translate.inference.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'translate.inference' has no attribute {name!r}")
