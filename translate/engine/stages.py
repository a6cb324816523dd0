"""Models that the checkpoints of a run from noise hold, beside the one that the run hands out."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from translate.engine import checkpoint
from translate.engine.run import Run
from translate.errors import UsageError
from translate.models import Model


def as_trained(folder: Path) -> Model:
    """The model of a run with the weights that its newest checkpoint goes on training, not their average.

    Raises:
        UsageError: the folder holds no run with a checkpoint.
    """
    checkpoints = list(Run(folder).checkpoints().values())
    if not checkpoints:
        raise UsageError(f"--no-ema: {folder} is no run with a checkpoint, which alone keeps both generators")
    model = Model.from_pretrained(folder)
    model.generator().load_state_dict(_weights(checkpoints[-1], "trainer", "g."))
    return model


def stages(folder: Path) -> dict[int, Model]:
    """The models of a run at the checkpoints that it keeps, by their steps; none where there is no run."""
    models = {}
    for step, path in Run(folder).checkpoints().items():
        models[step] = Model.from_pretrained(folder)
        models[step].generators.load_state_dict(_weights(path, "averaged", "copies."))
    return models


def _weights(path: Path, part: str, prefix: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint's part whose names begin so, by the rest of their names."""
    tensors: dict[str, Tensor] = checkpoint.load(path)[part]
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
