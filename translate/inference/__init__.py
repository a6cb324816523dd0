"""Apply a model: to one image, to folders of them, and to noise."""

from translate.inference.batch.folder import translate_files, translate_folder
from translate.inference.batch.outcome import Outcome
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.generation import Sampler
from translate.inference.predictors.registry import PREDICTORS, load_predictor

__all__ = [
    "PREDICTORS",
    "Outcome",
    "Predictor",
    "Sampler",
    "load_predictor",
    "translate_files",
    "translate_folder",
]
