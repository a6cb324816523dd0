"""Models as folders (config.json + model.safetensors), and what they run on."""

from translate.models.device import Precision, pick_device, pick_precision
from translate.models.model import Model

__all__ = ["Model", "Precision", "pick_device", "pick_precision"]
