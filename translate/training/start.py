"""Build what training starts from: the trainer with its initial weights, and the sampler of batches."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from translate.config import TrainConfig
from translate.data.datasets.loader import InfiniteBatchSampler
from translate.errors import TranslateError, UsageError
from translate.methods.task import Task, TaskData
from translate.methods.trainer import Trainer
from translate.models import Model
from translate.networks import Generator
from translate.training.step.distributed import ProcessGroup


def build_trainer(task: Task, c: TrainConfig, *, initialize: bool = True) -> Trainer:
    """Build the trainer of a task.

    Args:
        initialize: load the model of `--init` into the generators; not needed where a checkpoint follows.
    """
    trainer = task.trainer(c)
    if initialize and c.init:
        _load_generators(Model.from_pretrained(c.init), trainer.generators)
    return trainer


def _load_generators(model: Model, generators: Mapping[str, Generator]) -> None:
    """Load the weights of a model into generators with the same layers.

    Raises:
        TranslateError: the model has other directions or other layers.
    """
    for direction, generator in generators.items():
        if direction not in model.config.routes:
            directions = " and ".join(model.config.routes)
            raise UsageError(
                f"--init: the model has {directions} only, and this run trains {direction}:"
                " give a model of the same kind"
            )
        try:
            generator.load_state_dict(model.generator(direction).state_dict())
        except RuntimeError as error:
            reason = shorten(str(error).splitlines()[1], 100)
            raise TranslateError(
                f"--init: the model's {model.config.generator.name} has other layers than the generator of"
                f" these settings ({reason}): give the settings in its config.json"
            ) from None


def create_sampler(c: TrainConfig, data: TaskData, group: ProcessGroup) -> InfiniteBatchSampler:
    """Create the sampler of the batches that this process trains on."""
    return InfiniteBatchSampler(
        len(data.train),
        c.batch_size,
        c.seed,
        batches_per_step=c.batches_per_step,
        rank=group.rank,
        world_size=group.size,
        shard_sizes=data.train.shard_sizes,
    )
