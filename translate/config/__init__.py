"""The settings of training and inference, and the content of a model's `config.json`. Imports no torch.

A setting is a dataclass field: the one declaration of a command-line flag, a YAML key, an environment
variable and a keyword argument in Python. The settings of a method are declared in the method's folder.
"""

from translate.config.apply import FolderOptions, PredictorOptions
from translate.config.model import (
    ColorizationModelConfig,
    GenerationModelConfig,
    GeneratorSpec,
    ModelConfig,
    MultiDomainModelConfig,
    Route,
    TrainingScale,
    VolumeModelConfig,
    parse_model_config,
)
from translate.config.resolve import collect_settings, dump_yaml, load_yaml, merge_settings
from translate.config.schema import (
    Config,
    accepts,
    check_values,
    flag_name,
    from_mapping,
    setting,
    setting_fields,
    with_default,
)
from translate.config.training.adversarial import AdversarialConfig
from translate.config.training.augmentation import AugmentationConfig
from translate.config.training.base import TrainConfig
from translate.config.training.contrastive import ContrastiveConfig
from translate.config.training.images import ImageTrainConfig, PhotoTrainConfig, TranslationConfig
from translate.config.training.noise import ClassConditionalConfig, NoiseTrainConfig
from translate.config.training.unpaired import TwoWayConfig, UnpairedConfig

__all__ = [
    "AdversarialConfig",
    "AugmentationConfig",
    "ClassConditionalConfig",
    "ColorizationModelConfig",
    "Config",
    "ContrastiveConfig",
    "FolderOptions",
    "GenerationModelConfig",
    "GeneratorSpec",
    "ImageTrainConfig",
    "ModelConfig",
    "MultiDomainModelConfig",
    "NoiseTrainConfig",
    "PhotoTrainConfig",
    "PredictorOptions",
    "Route",
    "TrainConfig",
    "TrainingScale",
    "TranslationConfig",
    "TwoWayConfig",
    "UnpairedConfig",
    "VolumeModelConfig",
    "accepts",
    "check_values",
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
