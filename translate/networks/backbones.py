"""Frozen backbones, which return features of images at four scales: networks of torchvision and of timm."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config.training.adversarial import TIMM, TORCHVISION_BACKBONES
from translate.errors import TranslateError, UsageError
from translate.mixed_precision import at_least_float32
from translate.pretrained import convert_to_buffers, load_torchvision

MIN_SIDE = 224  # The side of the images that the backbones were trained on, in pixels.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES = (4, 8, 16, 32)  # The side of the image, divided by that of its features.
# The last of torchvision's layers whose features have 1/4, 1/8, 1/16 and 1/32 of the image's side.
LAST_LAYERS = {"mobilenet_v2": (3, 6, 13, 17), "efficientnet_b0": (2, 3, 5, 7)}
ALTERNATIVE = "use another --discriminator"

log = logging.getLogger("translate")


class Backbone(nn.Module):
    """A frozen backbone, which stays in `eval()`. Its weights are buffers, and no part of a checkpoint.

    Args:
        layers: maps normalised RGB images to a list of features with 1/4, 1/8, 1/16 and 1/32 of their side.
        mean, std: the statistics of R, G and B by which images in [0, 1] are normalised.

    Attributes:
        channels: the channels of these features.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.layers = convert_to_buffers(layers).eval()
        self.training = False
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        with torch.no_grad():
            self.channels = [features.shape[1] for features in self(torch.zeros(1, 3, MIN_SIDE, MIN_SIDE))]

    def train(self, mode: bool = True) -> Backbone:
        """Do nothing, because the batch norms must keep using their running statistics."""
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of (N, C, H, W) images in [-1, 1], gray ones repeated as R, G and B.

        Images below 224 px are enlarged.
        """
        x = at_least_float32(x)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        shorter = min(x.shape[2:])
        if shorter < MIN_SIDE:
            size = [round(side * MIN_SIDE / shorter) for side in x.shape[2:]]
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        features: list[Tensor] = self.layers(((x + 1) / 2 - self.mean) / self.std)
        return features


class _LastScales(nn.Module):
    """The last four scales of a network that returns a list of features."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> list[Tensor]:
        features: list[Tensor] = list(self.layers(x))[-len(SCALES) :]
        return features


class _Stages(nn.Module):
    """Consecutive parts of a network, which returns the output of each part."""

    def __init__(self, layers: nn.Sequential, last: Sequence[int]) -> None:
        super().__init__()
        starts = (0, *(number + 1 for number in last))
        self.stages = nn.ModuleList(layers[start : end + 1] for start, end in zip(starts, last, strict=False))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def load_backbone(
    name: str, *, purpose: str = "--discriminator projected", alternative: str = ALTERNATIVE
) -> Backbone:
    """Load a backbone with its ImageNet weights, which are downloaded if they are not there.

    Args:
        name: `mobilenet_v2` or another of `TORCHVISION_BACKBONES`, or `timm:` and a name of timm.
        purpose: what the backbone is for, in the error message.
        alternative: what a user without the weights of torchvision can do, in the error message.

    Raises:
        TranslateError: the weights cannot be downloaded.
        UsageError: timm is not installed, or its network returns no features of these four scales.
    """
    if name.startswith(TIMM):
        return _load_timm(name.removeprefix(TIMM))
    network: Any = load_torchvision(name, purpose=purpose, alternative=alternative)
    return Backbone(_Stages(network.features, LAST_LAYERS[name]), IMAGENET_MEAN, IMAGENET_STD)


def _load_timm(name: str) -> Backbone:
    try:
        import timm
    except ImportError:
        raise UsageError(
            f"backbone {TIMM}{name} needs timm, which is not installed: pip install 'translate-images[timm]',"
            f" or use --backbone {TORCHVISION_BACKBONES[0]}"
        ) from None
    if not timm.is_model(name) or not timm.models.is_model_pretrained(name):
        raise UsageError(
            f"backbone {TIMM}{name} is no pretrained network of timm {timm.__version__}: choose one of"
            " timm.list_models(pretrained=True)"
        )
    _check_scales(timm, name)
    about = timm.models.get_pretrained_cfg(name)
    source = f"huggingface.co/{about.hf_hub_id}" if about.hf_hub_id else about.url
    _announce(f"loading {name} of timm from {source}, or its copy in the cache (licence: {about.license})")
    try:
        with torch.random.fork_rng(devices=[]):  # Its initial weights must not change those of training.
            layers = _LastScales(timm.create_model(name, pretrained=True, features_only=True))
    except Exception as error:  # A connection, a disk and timm raise errors of many types.
        reason = " ".join(str(error).split())
        raise TranslateError(
            f"cannot load {name} of timm from {source}: {reason}: copy its files to the cache of Hugging Face"
            f" (HF_HOME), or {ALTERNATIVE}"
        ) from None
    return Backbone(layers, about.mean, about.std)


@cache
def _announce(line: str) -> None:
    """Log a line once a process: the estimate of memory loads a backbone, too."""
    log.info(line)


def _check_scales(timm: Any, name: str) -> None:
    """Refuse a network of timm that does not return features of the four scales, before any download."""
    x = torch.zeros(1, 3, MIN_SIDE, MIN_SIDE)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            layers = _LastScales(timm.create_model(name, pretrained=False, features_only=True)).eval()
            found = [tuple(features.shape[2:]) for features in layers(x)]
    except Exception as error:  # A network may have no features to return, or take images of one size only.
        found, reason = [], " ".join(str(error).split())
    else:
        reason = f"its features have {', '.join('x'.join(map(str, size)) for size in found)}"
    if found != [(MIN_SIDE // scale, MIN_SIDE // scale) for scale in SCALES]:
        raise UsageError(
            f"backbone {TIMM}{name} does not fit a projected discriminator, which needs features (N, C, H, W)"
            f" with 1/4, 1/8, 1/16 and 1/32 of the image's side ({reason}): use a convolutional network, such"
            f" as {TIMM}tf_efficientnet_lite0, or --backbone {TORCHVISION_BACKBONES[0]}"
        )
