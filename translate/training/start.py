"""Load the weights that training starts from, create the sampler of its batches, and prepare validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten

from translate.config import TrainConfig, TranslationConfig
from translate.data.datasets.loader import InfiniteBatchSampler
from translate.errors import TranslateError, UsageError
from translate.methods.task import TaskData
from translate.models import Model
from translate.models.feature_networks import discriminator_backbones
from translate.networks import Generator
from translate.training.interrupt import Interrupt
from translate.training.log import Log, NullLog
from translate.training.step.distributed import ProcessGroup


def load_initial_weights(c: TrainConfig, generators: Mapping[str, Generator]) -> tuple[list[str], list[str]]:
    """Load the weights of the models that a new run starts from into its generators, by direction.

    A model without one of several directions leaves that generator as it is, or to the second model
    (`--init-back`), whose only direction may have another name.

    Returns:
        Lines for the log, where the generators do not all start from the one model; and the pretrained
        networks that the discriminators of these models used.

    Raises:
        TranslateError: no model has a direction of the run, or the layers differ.
    """
    sources: dict[str, tuple[str, Generator]] = {}
    backbones: list[str] = []
    for number, path in enumerate(c.init_models):
        model = Model.from_pretrained(path)
        backbones += discriminator_backbones(model.config.trained_on)
        missing = [direction for direction in generators if direction not in sources]
        routes = {name: route for name in missing if (route := _find_route(model, name))}
        if number and not missing:
            raise UsageError(
                f"--init {c.init} has the directions {' and '.join(sources)}: leave --init-back out"
            )
        if number and not routes and len(model.config.routes) == 1:
            routes = dict.fromkeys(missing, next(iter(model.config.routes)))
        if not routes:
            raise UsageError(_missing_direction(c, path, model, missing))
        for own, route in routes.items():
            name = path if route == own else f"the {route} of {path}"
            sources[own] = name, model.generator(route)
    for direction, (path, generator) in sources.items():
        _load(generators[direction], generator, path)
    if not sources or (len(sources) == len(generators) and len(c.init_models) == 1):
        return [], backbones
    starts = [f"{direction} starts from {path}" for direction, (path, _) in sources.items()]
    fresh = [f"{name} starts from random weights" for name in generators if name not in sources]
    remedy = ": --init-back MODEL gives it a model" if fresh and hasattr(c, "init_back") else ""
    return [", ".join([*starts, *fresh]) + remedy], backbones


def _find_route(model: Model, direction: str) -> str | None:
    """Return the direction of a model, or one of several domains whose only generator has this name."""
    routes = model.config.routes
    if direction in routes:
        return direction
    return next((name for name, route in routes.items() if route.generator == direction), None)


def _missing_direction(c: TrainConfig, path: str, model: Model, missing: Sequence[str]) -> str:
    """Return the error message of a model that has none of the directions that a run needs."""
    directions = " and ".join(model.config.routes)
    remedy = ", or change --direction" if isinstance(c, TranslationConfig) and path == c.init else ""
    flag = "--init" if path == c.init else "--init-back"
    return (
        f"{flag} {path} has the direction {directions} only, and this run trains {' and '.join(missing)}:"
        f" give a model that has this direction{remedy}"
    )


def _load(generator: Generator, source: Generator, path: str) -> None:
    try:
        generator.load_state_dict(source.state_dict())
    except RuntimeError as error:
        reason = shorten(str(error).splitlines()[1], 100)
        raise TranslateError(
            f"--init {path}: its layers differ from the generator of these settings ({reason}):"
            " give another model"
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


def prepare_validation(
    parts: Iterator[str], group: ProcessGroup, interrupt: Interrupt, log: Log | NullLog
) -> int:
    """Take the parts of `Task.prepare` in the first process, which validates; the others wait for each part.

    Waiting for all of them at once could exceed the time after which a process counts as lost.

    Returns:
        The number of a signal that any process got, after which the rest is left out; 0 if there was none.
    """
    parts = parts if group.is_first else iter(())
    while True:
        line = next(parts, None)
        if line:
            log.message(line)
        number, has_more = group.all_reduce_max(float(interrupt.signal), float(line is not None))
        if number or not has_more:
            return int(number)
