"""Applying a model: to one picture, and to folders of them."""

from translate.inference.folder import Outcome, translate_folder
from translate.inference.translator import Translator

__all__ = ["Outcome", "Translator", "translate_folder"]
