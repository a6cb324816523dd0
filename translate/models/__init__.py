"""Model folders (config.json + model.safetensors), and the device and precision that models run on."""

from translate.models.device import Precision, pick_device, pick_precision
from translate.models.model import (
    RUN_MODEL_FOLDER,
    Model,
    installed_models,
    load_installed_model,
    locate_model,
    path_argument,
    read_model_config,
)

__all__ = [
    "RUN_MODEL_FOLDER",
    "Model",
    "Precision",
    "installed_models",
    "load_installed_model",
    "locate_model",
    "path_argument",
    "pick_device",
    "pick_precision",
    "read_model_config",
]
