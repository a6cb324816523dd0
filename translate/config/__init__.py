"""Settings as dataclass fields: the one source of the command-line flags, the YAML keys, the environment
names and what a checkpoint and a model store. The settings of one method lie beside the method.
Imports no torch.
"""

from translate.config.images import ImageTrainConfig, PhotoTrainConfig, TranslationConfig
from translate.config.model import (
    ColorizationModelConfig,
    GenerationModelConfig,
    GeneratorSpec,
    ModelConfig,
    Route,
    TrainingScale,
    parse_model_config,
)
from translate.config.resolve import collect_settings, dump_yaml, load_yaml, merge_settings
from translate.config.schema import Config, flag_name, from_mapping, setting, setting_fields, with_default
from translate.config.training import TrainConfig

__all__ = [
    "ColorizationModelConfig",
    "Config",
    "GenerationModelConfig",
    "GeneratorSpec",
    "ImageTrainConfig",
    "ModelConfig",
    "PhotoTrainConfig",
    "Route",
    "TrainConfig",
    "TrainingScale",
    "TranslationConfig",
    "collect_settings",
    "dump_yaml",
    "flag_name",
    "from_mapping",
    "load_yaml",
    "merge_settings",
    "parse_model_config",
    "setting",
    "setting_fields",
    "with_default",
]
