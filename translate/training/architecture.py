"""The architecture and the domains of the model that a new run starts from (`--init`)."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any

from translate.config import ModelConfig, MultiDomainModelConfig, TrainConfig, flag_name, setting_fields
from translate.config.schema import convert
from translate.errors import UsageError
from translate.models import read_model_config
from translate.networks import GENERATORS

# The settings that become an argument of a generator's constructor, by the argument.
SETTINGS = {
    "width": "ngf",
    "mapping_depth": "mapping_depth",
    "norm": "norm",
    "downsample": "downsample",
    "upsample": "upsample",
    "dropout": "dropout",
    "fmap_base": "fmap_base",
    "fmap_max": "fmap_max",
    "embedding": "embedding",
    "hierarchical": "hierarchical",
    "attention": "attention",
}


def adopt_architecture(
    config_class: type[TrainConfig], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Add the architecture of the model of `--init` to the settings, where they do not give it.

    Args:
        settings: those that the user gave.

    Returns:
        The settings, and a line for the log; without `--init`, the same settings and no line.

    Raises:
        UsageError: a setting that the user gave differs from the model, or the run's method cannot train the
            model's generator.
    """
    if not (init := settings.get("init")):
        return dict(settings), []
    model = _architecture(read_model_config(init))
    if back := settings.get("init_back"):
        _check_same(str(init), model, str(back), _architecture(read_model_config(back)))
    fields = [field for field in setting_fields(config_class) if field.name in model]
    for field in fields:
        choices = field.metadata["choices"]
        if choices and model[field.name] not in choices:
            raise UsageError(
                f"--init {init} has the {field.name} {model[field.name]}, which this recipe does not train:"
                f" give a model whose {field.name} is {' or '.join(choices)}, or leave --init out"
            )
    hints = typing.get_type_hints(config_class)
    from_model: dict[str, Any] = {}
    for field in fields:
        name = field.name
        given = convert(field, hints[name], settings[name]) if name in settings else None
        if given is None:
            from_model[name] = model[name]
        elif given != model[name] and name != "dropout":  # Dropout has no weights.
            raise UsageError(
                f"{name} is {_text(given)}, but {_text(model[name])} in the model of --init {init}:"
                f" leave {flag_name(field)} out, or give another --init"
            )
    names = ", ".join(f"{name} {_text(value)}" for name, value in from_model.items())
    return {**settings, **from_model}, [f"taken from the model {init}: {names}"] if names else []


def _architecture(config: ModelConfig) -> dict[str, Any]:
    """Return the settings that the generator of a model stands for, by name."""
    spec = config.generator
    network = GENERATORS.get(spec.name)
    parameters = inspect.signature(network).parameters if network else {}
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    args = {**defaults, **spec.args}
    found: dict[str, Any] = {"generator": spec.name, "networks": spec.name}
    found |= {setting: args[name] for name, setting in SETTINGS.items() if name in args}
    if network and network.depth_setting:
        found[network.depth_setting] = args["depth"]
    found |= config.training_settings
    if spec.name == "unet" and "imported_from" in config.trained_on and not args["dropout"]:
        del found["dropout"]  # The checkpoint of a U-Net does not tell whether it was trained with dropout.
    return found


def _check_same(init: str, model: Mapping[str, Any], back: str, other: Mapping[str, Any]) -> None:
    """Refuse a model of `--init-back` of another architecture than that of `--init`."""
    for name in model:
        if name != "dropout" and other.get(name) != model[name]:
            raise UsageError(
                f"--init-back {back} has {name} {_text(other.get(name))}, and --init {init}"
                f" {_text(model[name])}: both generators have one architecture: give another model"
            )


def check_domains(c: TrainConfig, facts: Mapping[str, Any]) -> None:
    """Refuse a dataset whose domains or attributes are not those of the model that a new run starts from.

    An entry of the label that the generator takes stands for a domain by its place, so the weights of a model
    translate to the domain at that place, whatever its name.

    Args:
        facts: what the finished model stores about the dataset.

    Raises:
        UsageError: the names, their order, or whether an image has one of them or several differ.
    """
    for path in c.init_models if "domains" in facts else ():
        model = read_model_config(path)
        if not isinstance(model, MultiDomainModelConfig):
            continue
        if (model.domains, model.exclusive) == (facts["domains"], facts["exclusive"]):
            continue
        kind = "domains" if model.exclusive else "attributes"
        own_kind = "domains" if facts["exclusive"] else "attributes"
        raise UsageError(
            f"--init {path} has the {kind} {', '.join(model.domains)}, and {c.data_source} has the {own_kind}"
            f" {', '.join(facts['domains'])}: give data with the {kind} of the model, or leave --init out"
        )


def _text(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
