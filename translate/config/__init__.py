"""Every setting of every recipe, as dataclass fields: the one source of the command-line
flags, the YAML keys, the environment names and what a checkpoint and a model store.
Imports no torch.
"""

from translate.config.model import GeneratorSpec, ModelConfig
from translate.config.noise import (
    CGANConfig,
    DCGANConfig,
    GANConfig,
    InfoGANConfig,
    NoiseTrainConfig,
    WGANConfig,
    WGANGPConfig,
)
from translate.config.photos import ColorizeConfig, InpaintConfig, PhotoTrainConfig
from translate.config.resolve import dump_yaml, explicit, load_yaml, override
from translate.config.schema import Config, flag_name, from_mapping, settings_of
from translate.config.training import (
    CycleGANConfig,
    ImageTrainConfig,
    Pix2PixConfig,
    TrainConfig,
    TranslationConfig,
)

__all__ = [
    "CGANConfig",
    "ColorizeConfig",
    "Config",
    "CycleGANConfig",
    "DCGANConfig",
    "GANConfig",
    "GeneratorSpec",
    "ImageTrainConfig",
    "InfoGANConfig",
    "InpaintConfig",
    "ModelConfig",
    "NoiseTrainConfig",
    "PhotoTrainConfig",
    "Pix2PixConfig",
    "TrainConfig",
    "TranslationConfig",
    "WGANConfig",
    "WGANGPConfig",
    "dump_yaml",
    "explicit",
    "flag_name",
    "from_mapping",
    "load_yaml",
    "override",
    "settings_of",
]
