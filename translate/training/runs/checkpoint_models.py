"""Models that the checkpoints of a run hold, beside the one that the run hands out."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from translate.errors import UsageError
from translate.models import Model
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.runs.migrate import migrate_checkpoint


def load_without_ema(folder: Path) -> Model:
    """Load the model of a run with the weights that its newest checkpoint goes on training, not their EMA.

    Raises:
        UsageError: the folder holds no run with a checkpoint.
    """
    checkpoints = list(Run(folder).checkpoints().values())
    if not checkpoints:
        raise UsageError(f"--no-ema: {folder} is no run with a checkpoint, which alone keeps both generators")
    model = Model.from_pretrained(folder)
    state = _load(checkpoints[-1], model)
    for name, network in state["generators"].items():
        model.generators[name].load_state_dict(_part(state["trainer"], f"{network}."))
    return model


def load_checkpoint_models(folder: Path) -> dict[int, Model]:
    """Load the models of a run at the checkpoints that it keeps, by step; none where there is no run."""
    models = {}
    for step, path in Run(folder).checkpoints().items():
        models[step] = Model.from_pretrained(folder)
        state = _load(path, models[step])
        models[step].generators.load_state_dict(_part(state["ema"], "copies."))
    return models


def _load(path: Path, model: Model) -> checkpoint.State:
    state, _ = migrate_checkpoint(checkpoint.load(path), model.config.generator_names)
    return state


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
