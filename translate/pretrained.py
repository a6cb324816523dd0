"""Pretrained networks: load the weights of torchvision, and freeze a network."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import nn

from translate.errors import DataError, TranslateError

LICENSE = "torchvision, BSD-3-Clause; trained on ImageNet-1k"

log = logging.getLogger("translate")


def torchvision_weights(name: str) -> Any:
    """Return torchvision's description of the ImageNet weights of a network: address and preprocessing."""
    # Imported here, because importing torchvision takes seconds.
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    return get_model_weights(name).IMAGENET1K_V1


def weights_path(name: str) -> Path:
    """Return the path of a network's weights in TORCH_HOME, whether or not they have been downloaded."""
    address = PurePosixPath(torchvision_weights(name).url)
    return Path(torch.hub.get_dir()) / "checkpoints" / address.name


def load_torchvision(name: str, *, purpose: str, alternative: str) -> nn.Module:
    """Load a network of torchvision with its ImageNet weights; unpickle nothing but tensors.

    The weights are torchvision's file in TORCH_HOME (see `torch.hub`), downloaded if it is not there. Torch's
    random number generator stays as it is.

    Args:
        purpose: what the network is for, in the error message.
        alternative: what a user without the weights can do, in the error message.

    Raises:
        TranslateError: the weights cannot be downloaded.
        DataError: the file is damaged.
    """
    from torchvision.models import get_model

    weights, path = torchvision_weights(name), weights_path(name)
    with torch.device("meta"):  # Initial weights would advance torch's random number generator.
        network: nn.Module = get_model(name)
    if not path.exists():
        log.info(f"downloading the weights of {name} from {weights.url} ({LICENSE})")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch.hub prints to stdout that a download begins.
            state = weights.get_state_dict(
                progress=False, check_hash=True, weights_only=True, map_location="cpu"
            )
        network.load_state_dict(state, assign=True)
    except Exception as error:  # The network, the disk and torch raise errors of many types.
        if path.exists():
            raise DataError(f"cannot read the weights {path}: delete the file to download it again") from None
        reason = " ".join(str(error).split())
        raise TranslateError(
            f"cannot download the weights for {purpose} ({weights.url}): {reason}: copy the file to {path},"
            f" set TORCH_HOME to a folder with hub/checkpoints/{path.name}, or {alternative}"
        ) from None
    return network.eval()


def convert_to_buffers(network: nn.Module, *, persistent: bool = False) -> nn.Module:
    """Freeze a network in place: turn its weights into buffers, so that they are no parameters to train.

    Args:
        persistent: whether the weights and buffers are part of a checkpoint.
    """
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=persistent)
        for name, value in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, value, persistent=persistent)
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not persistent:
            # Loading a state dict would miss its number of batches; `eval()` uses its statistics as before.
            module.track_running_stats = False
    return network
