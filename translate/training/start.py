"""Build what training starts from: the trainer with its initial weights, and the sampler of batches."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from translate.config import TrainConfig, TranslationConfig
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
        initialize: load the model of `--init` into the generators; not needed if a checkpoint is loaded next.
    """
    trainer = task.trainer(c)
    if initialize and c.init:
        _load_generators(c, trainer.generators)
    return trainer


def _load_generators(c: TrainConfig, generators: Mapping[str, Generator]) -> None:
    """Load the weights of the model of `--init` into generators with the same layers.

    Raises:
        TranslateError: the model has other directions or other layers.
    """
    assert c.init
    model = Model.from_pretrained(c.init)
    for direction, generator in generators.items():
        if direction not in model.config.routes:
            directions = " and ".join(model.config.routes)
            remedy = ", or change --direction" if isinstance(c, TranslationConfig) else ""
            raise UsageError(
                f"--init {c.init} has the direction {directions} only, and this run trains {direction}:"
                f" give a model that has this direction{remedy}"
            )
        try:
            generator.load_state_dict(model.generator(direction).state_dict())
        except RuntimeError as error:
            reason = shorten(str(error).splitlines()[1], 100)
            raise TranslateError(
                f"--init {c.init}: its {model.config.generator.name} differs from the generator of these"
                f" settings ({reason}): repeat the settings that its config.json lists, such as --ngf"
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
