"""Applying a model: to one picture, to folders of them, and to noise."""

from translate.inference.folder import Outcome, translate_folder
from translate.inference.sampling import Sampler
from translate.inference.translator import Translator

__all__ = ["Outcome", "Sampler", "Translator", "translate_folder"]
