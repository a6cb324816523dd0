"""Files of styles, which a projection writes and sampling reads."""

from __future__ import annotations

from pathlib import Path

import safetensors
from safetensors.torch import load_file, save
from torch import Tensor

from translate.errors import DataError, UsageError
from translate.inference.predictors.generation import Sampler
from translate.storage import atomic_write

KEY = "w"
SUFFIX = ".safetensors"


def save_styles(styles: Tensor, path: Path) -> None:
    """Write styles, (N, layers, w), as a safetensors file."""
    atomic_write(path, save({KEY: styles.contiguous()}))


def load_styles(path: Path, sampler: Sampler) -> Tensor:
    """Read the styles that `save_styles` wrote, (N, layers, w).

    Raises:
        DataError: the file cannot be read, holds something else, or values that are not finite.
        UsageError: the model has no styles, or those of another size.
    """
    try:
        styles = load_file(path)[KEY]
    except (OSError, KeyError, safetensors.SafetensorError):
        raise DataError(f"{path} is no file of styles: give one that translate project wrote") from None
    if not styles.isfinite().all():
        raise DataError(f"{path} has styles that are not finite: project the image again")
    expected = (sampler.config.styles, sampler.config.in_channels)
    if styles.shape[1:] != expected:
        found, needed = (" x ".join(map(str, shape)) for shape in (styles.shape[1:], expected))
        raise UsageError(
            f"{path} has styles of {found}, and this model has {needed}: give the model that made them"
        )
    return styles
