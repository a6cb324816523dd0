"""A generator from noise as training left it, not averaged."""

from __future__ import annotations

from pathlib import Path

from translate.engine import checkpoint
from translate.engine.run import Run
from translate.errors import UsageError
from translate.models import Model


def latest(folder: Path) -> Model:
    """The model of a run from noise with the weights that its newest checkpoint goes on training.

    Raises:
        UsageError: the folder holds no run with a checkpoint.
    """
    checkpoints = Run(folder).checkpoints()
    if not checkpoints:
        raise UsageError(f"--no-ema: {folder} is no run with a checkpoint, which alone keeps both generators")
    model = Model.from_pretrained(folder)
    generator = model.generator()
    weights = checkpoint.load(list(checkpoints.values())[-1])["trainer"]
    generator.load_state_dict({name: weights[f"g.{name}"] for name in generator.state_dict()})
    return model
