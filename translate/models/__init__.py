"""Models as folders (config.json + model.safetensors), and what they run on."""

from translate.models.device import Precision, pick_device, pick_precision
from translate.models.model import IN_A_RUN, Model, installed_models, read_model_config

__all__ = [
    "IN_A_RUN",
    "Model",
    "Precision",
    "installed_models",
    "pick_device",
    "pick_precision",
    "read_model_config",
]
