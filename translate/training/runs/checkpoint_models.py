"""Load models from the checkpoints of a run: without EMA, or at earlier steps."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from translate.errors import UsageError
from translate.models import Model
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run
from translate.training.runs.migrate import migrate_checkpoint


def load_without_ema(folder: Path) -> Model:
    """Load the model of a run with the weights of its newest checkpoint instead of their EMA.

    Raises:
        UsageError: the folder is not a run with a checkpoint.
    """
    checkpoints = list(Run(folder).checkpoints().values())
    if not checkpoints:
        raise UsageError(
            f"--no-ema: {folder} is not a run with a checkpoint, and a model folder has only the EMA:"
            " give a run, or leave --no-ema out"
        )
    model = Model.from_pretrained(folder)
    state = _load_state(checkpoints[-1], model)
    for name, network in state["generators"].items():
        model.generators[name].load_state_dict(_select(state["trainer"], f"{network}."))
    return model


def load_checkpoint_models(folder: Path) -> dict[int, Model]:
    """Load the EMA model of each checkpoint of a run, by step; of a folder that is not a run, none."""
    models = {}
    for step, path in Run(folder).checkpoints().items():
        models[step] = Model.from_pretrained(folder)
        state = _load_state(path, models[step])
        models[step].generators.load_state_dict(_select(state["ema"], "copies."))
    return models


def _load_state(path: Path, model: Model) -> checkpoint.State:
    state, _ = migrate_checkpoint(checkpoint.load(path), model.config.generator_names, path)
    return state


def _select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names have a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
