"""Import generators from the CycleGAN and pix2pix authors' PyTorch code: their checkpoints `*_net_G*.pth`.

"Reference" means that code (pytorch-CycleGAN-and-pix2pix), and that of CUT, whose generators are antialiased.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from translate.config import ColorizationModelConfig, ModelConfig, Route
from translate.errors import DataError, TranslateError
from translate.models.architectures import name_network
from translate.models.checkpoint_file import read_checkpoint
from translate.models.model import Model
from translate.models.reference_folder import (
    ReferenceOptions,
    direction_of,
    find_generator_files,
    read_options,
)
from translate.models.reference_generator import LABELS, describe_generator, infer_spec, load_generator
from translate.models.state_dicts import StateDict, check_tensors, find_generators, list_keys
from translate.networks import Generator
from translate.progress import message

OPPOSITE = {"AtoB": "BtoA", "BtoA": "AtoB"}


@dataclass(frozen=True)
class _Source:
    """A generator in a file: the file's path, the network's name in it, its direction and state dict.

    Attributes:
        network: what the keys of the whole file belong to, if that is a known network of another project.
    """

    path: Path
    name: str
    direction: str
    state: StateDict
    network: str


def import_reference(
    path: Path | str,
    *,
    statistics: str = "running",
    direction: str | None = None,
    load_size: int | None = None,
) -> Model:
    """Import the generators in a checkpoint, or in a folder of checkpoints, as one model.

    Architecture, width, depth, channels, norm and dropout are inferred from the keys and shapes of the state
    dict; the dropout of a U-Net leaves no trace there. A generator of 1 -> 2 channels is the reference's
    colorization in Lab. The options that the reference writes beside its checkpoints (`train_opt.txt`) tell
    the direction, the dropout and the sizes of the images in training.

    Args:
        path: a file, or a folder, of which the newest epoch is imported, in both directions if it has them.
        statistics: the statistics that batch norm uses in inference: `running` for the running statistics of
            training, as the reference's test script with `--eval`, or `picture` for each image's own, as
            without `--eval`.
        direction: `AtoB` or `BtoA`: of several generators this one alone, of one its direction; None takes
            all, and infers the direction from the names (`BtoA` for `*_net_G_B.pth`) and the options.
        load_size: the side that the training images were resized to, in pixels; None is that of the options.

    Raises:
        UsageError: the file cannot be read, or the folder holds no generator.
        DataError: a file is damaged, or holds no generator of the reference; the message names the first key
            that does not fit.
    """
    path = Path(path)
    options = read_options(path if path.is_dir() else path.parent)
    sources = _read_sources(path, direction, options)
    generators: dict[str, Generator] = {}
    for source in sources:
        try:
            check_tensors(source.state, source.path.stat().st_size)
            spec = infer_spec(source.state, dropout=options.dropout)
            generators[source.direction] = load_generator(spec, source.state)
        except TranslateError as error:
            name = f"its {source.name}: " if source.name else ""
            raise DataError(f"cannot import {source.path}: {name}{_explain(error, source.network)}") from None
    config = _create_config(path, generators, statistics, options, load_size)
    return Model(config, generators).requires_grad_(False)


def _read_sources(path: Path, direction: str | None, options: ReferenceOptions) -> list[_Source]:
    """Read the generators to import, `AtoB` first."""
    files = {"": path}
    if path.is_dir():
        found = find_generator_files(path)
        files = found.paths
        if found.epochs > 1:
            message(
                f"{path}: importing the epoch {found.epoch} of {found.epochs}; for another, give its file"
            )
    sources: dict[str, _Source] = {}
    for file in files.values():
        states, network = _read_generators(file)
        for name, state in states.items():
            own = direction_of(name) or direction_of(file.stem) or "AtoB"
            if options.is_reversed:
                own = OPPOSITE[own]
            earlier = sources.get(own)
            if earlier and ("ema" in name) == ("ema" in earlier.name):
                names = f"{earlier.name or 'one'} and {name or 'one'}"
                error = DataError(
                    f"it holds two generators for {own} ({names}): save the state_dict of one of them alone"
                )
                raise DataError(f"cannot import {file}: {_explain(error, network)}")
            if not earlier or "ema" in name:  # Averaged weights are those for inference.
                sources[own] = _Source(file, name, own, state, network)
    if options.is_reversed and not direction:
        message(f"{options.source} says direction BtoA: the generators start from domain B")
    return _select_direction(path, sources, direction)


def _read_generators(file: Path) -> tuple[dict[str, StateDict], str]:
    """Return the generators in a file by name, and what known network of another project it holds, if any."""
    content = read_checkpoint(file)
    try:
        return find_generators(content), name_network(list_keys(content))
    except DataError as error:
        raise DataError(f"cannot import {file}: {error}") from None


def _select_direction(path: Path, sources: dict[str, _Source], direction: str | None) -> list[_Source]:
    """Return the generators of a direction, or all."""
    if direction and len(sources) == 1:
        (source,) = sources.values()
        return [replace(source, direction=direction)]
    return [sources[name] for name in OPPOSITE if name in sources and direction in (None, name)]


def _explain(error: TranslateError, network: str) -> str:
    """Return the message of an error, and which network of another project it is, if it is one."""
    return f"it is {network}, which translate cannot run ({error})" if network else str(error)


def describe(config: ModelConfig) -> str:
    """Describe an imported model: `ResNet, 9 blocks, 64 channels, instance norm, 3 -> 3 channels`."""
    color = " (Lab)" if config.color == "Lab" else ""
    statistics = f", {LABELS[config.statistics]}" if config.generator.args["norm"] == "batch" else ""
    return describe_generator(config.generator) + color + statistics


def _create_config(
    path: Path,
    generators: dict[str, Generator],
    statistics: str,
    options: ReferenceOptions,
    load_size: int | None,
) -> ModelConfig:
    """Create the config of a model of these generators; 1 -> 2 channels predict a and b of Lab from L."""
    network, *others = generators.values()
    for other in others:
        if other.spec != network.spec:
            raise DataError(
                f"cannot import {path}: its generators differ ({describe_generator(network.spec)};"
                f" {describe_generator(other.spec)}), and a model has one architecture: import each by"
                " --direction"
            )
    args = network.spec.args
    settings: dict[str, Any] = {
        "generator": network.spec,
        "in_channels": args["in_channels"],
        "out_channels": args["out_channels"],
        "statistics": statistics if args["norm"] == "batch" else "picture",
        "size_multiple": network.size_multiple,
        "scale": options.scale(load_size),
        "trained_on": {"imported_from": path.name or path.resolve().name},
    }
    if (args["in_channels"], args["out_channels"]) == (1, 2):
        (direction,) = generators
        routes = {"colorize": Route(source="gray", target="color", generator=direction)}
        domains = ["gray", "color"]
        return ColorizationModelConfig(
            kind="colorization", domains=domains, routes=routes, color="Lab", **settings
        )
    routes = {
        direction: Route(source=direction[0], target=direction[-1], generator=direction)
        for direction in generators
    }
    return ModelConfig(domains=["A", "B"], routes=routes, **settings)
