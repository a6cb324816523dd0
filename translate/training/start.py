"""The weights that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from translate.config import TrainConfig
from translate.errors import TranslateError, UsageError
from translate.methods.task import Task
from translate.methods.trainer import Trainer
from translate.models import Model
from translate.networks import Generator


def new_trainer(task: Task, c: TrainConfig, *, fresh: bool = True) -> Trainer:
    """Create a trainer with the weights that training starts from.

    Args:
        fresh: the run is new: `--init` counts.
    """
    trainer = task.trainer(c)
    if fresh and c.init:
        _start_from(Model.from_pretrained(c.init), trainer.generators)
    return trainer


def _start_from(model: Model, generators: Mapping[str, Generator]) -> None:
    """Load the weights of a model into new generators of the same kind.

    Raises:
        TranslateError: the model has other directions or other layers.
    """
    for direction, generator in generators.items():
        if direction not in (known := model.config.routes):
            raise UsageError(
                f"--init: the model goes {' and '.join(known)} only, and this run trains {direction}:"
                " give a model of the same kind"
            )
        try:
            generator.load_state_dict(model.generator(direction).state_dict())
        except RuntimeError as error:
            reason = shorten(str(error).splitlines()[1], 100)
            raise TranslateError(
                f"--init: the model is a {model.config.generator.name} of other layers than these"
                f" settings make ({reason}): give the settings in its config.json"
            ) from None
