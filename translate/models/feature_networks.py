"""Networks whose features compare sets of images, none that the discriminator of a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from translate.errors import TranslateError
from translate.metrics import EfficientNetFeatures, FeatureNetwork, MobileNetFeatures
from translate.metrics.diversity import Diversity
from translate.models.model import Model, load_installed_model
from translate.networks import Colorizer
from translate.networks.generators.efficientnet import CHANNELS, FEATURE_STAGES

SCALES = 4  # The finest ones, to 1/16 of the image. The coarsest one tells checkpoints of a run apart badly.


def has_trained_with(model: Model, network: str) -> bool:
    """Return whether the discriminator of a model used a feature network as its backbone.

    The features of such a network say how well the generator has learned to deceive it, not how good its
    images are.

    Args:
        network: the name of a feature network; `tf_efficientnet_lite0` is EfficientNet-Lite0, too.
    """
    return any(_plain(network) in _plain(name) for name in discriminator_backbones(model.config.trained_on))


def discriminator_backbones(trained_on: Mapping[str, Any]) -> list[str]:
    """Return the pretrained networks that discriminators of a model used: of its training and before.

    Args:
        trained_on: that of its config.
    """
    value = trained_on.get("discriminator_backbone")
    names = value if isinstance(value, list) else [value]
    return [name for name in names if isinstance(name, str)]


def add_backbones(trained_on: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return what a model was trained on, with further pretrained networks that discriminators used.

    Args:
        trained_on: that of a model's config, whose `discriminator_backbone` is one name, or a list.
        names: the further networks.
    """
    names = list(dict.fromkeys([*discriminator_backbones(trained_on), *names]))
    if not names:
        return dict(trained_on)
    return {**trained_on, "discriminator_backbone": names[0] if len(names) == 1 else names}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@cache
def load_efficientnet_features(device: torch.device) -> EfficientNetFeatures:
    """Load the feature extractor that comes with the package, from the backbone of the model `colorize`."""
    colorizer = load_installed_model("colorize").generator()
    assert isinstance(colorizer, Colorizer)
    backbone = colorizer.backbone
    backbone.stages = backbone.stages[: FEATURE_STAGES[SCALES - 1] + 1]
    backbone = backbone.to(memory_format=torch.channels_last)  # A third faster on a CPU.
    return EfficientNetFeatures(backbone.to(device), CHANNELS[:SCALES])


@cache
def load_diversity() -> Diversity:
    """Load the score of diversity, by the whole backbone of the model `colorize`."""
    colorizer = load_installed_model("colorize").generator()
    assert isinstance(colorizer, Colorizer)
    return Diversity(colorizer.backbone)


def load_feature_network(model: Model, device: torch.device) -> FeatureNetwork:
    """Load features that may score a model during its training; nothing is downloaded.

    Raises:
        TranslateError: the discriminator was trained with the only feature network that is available.
    """
    if not has_trained_with(model, EfficientNetFeatures.name):
        return load_efficientnet_features(device)
    path = MobileNetFeatures.weights_path()
    if not path.exists():
        raise TranslateError(
            f"the discriminator is trained with {EfficientNetFeatures.name}, which is no fair judge then:"
            f" copy torchvision's {path.name} to {path.parent} to score by {MobileNetFeatures.name}"
        )
    return MobileNetFeatures()
