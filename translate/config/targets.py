"""The target of a model of several domains: the domain, or the attributes, that an image is translated to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from translate.config.model import ALL_DOMAINS, NO_ATTRIBUTES, ModelConfig, MultiDomainModelConfig
from translate.errors import UsageError, nearest


@dataclass(frozen=True)
class Target:
    """A target of a model of several domains.

    Attributes:
        name: the domain; or the attributes that are on, in the order of the model, separated by commas.
        label: the network's label, 1 for each of them and 0 for the others, in the order of the model.
    """

    name: str
    label: tuple[float, ...]


def check_target(config: ModelConfig, direction: str | None, to: str | None) -> None:
    """Check that a target, or a direction, is one of a model; None stands for its default.

    Raises:
        UsageError: the model has no such target, or it takes a direction instead, or the reverse.
    """
    if isinstance(config, MultiDomainModelConfig):
        if direction is not None:
            raise UsageError(f"--direction {direction} is for a model of two domains: {_choose(config)}")
        if to is not None:
            parse_targets(config, to)
    elif to is not None:
        raise UsageError(f"--to {to} is for a model of several domains: {_direction_instead(config, to)}")


def require_target(config: ModelConfig, to: str | None) -> None:
    """Check that there is a target if a model has several.

    Raises:
        UsageError: there is none.
    """
    if isinstance(config, MultiDomainModelConfig) and to is None:
        text = "sets attributes" if not config.exclusive else "translates to several domains"
        raise UsageError(f"no target is given, and this model {text}: {_choose(config)}")


def parse_target(config: MultiDomainModelConfig, to: str) -> Target:
    """Return one target of a model.

    Args:
        to: the name of a domain; or the attributes that are on, separated by commas (`none`: none of them).

    Raises:
        UsageError: the model has no such domain or attribute, or `to` stands for several targets.
    """
    targets = parse_targets(config, to)
    if to == ALL_DOMAINS:
        raise UsageError(
            f"target {to!r} has an output for each domain: choose one of {', '.join(config.domains)},"
            " or translate a folder"
        )
    return targets[0]


def parse_targets(config: MultiDomainModelConfig, to: str) -> list[Target]:
    """Return the targets that `to` stands for: as for `parse_target`, or each domain for `all`.

    Raises:
        UsageError: the model has no such domain or attribute, or `to` has several of exclusive domains.
    """
    if not isinstance(to, str):
        raise UsageError(f"target {to!r} is not a string: {_choose(config)}")
    names = list(dict.fromkeys(name.strip() for name in to.split(",")))
    if to == ALL_DOMAINS:
        if not config.exclusive:
            raise UsageError(f"--to {to} is for domains of which an image has one: {_choose(config)}")
        return [_target(config, [name]) for name in config.domains]
    if to == NO_ATTRIBUTES and not config.exclusive:
        return [Target(NO_ATTRIBUTES, (0.0,) * len(config.domains))]
    for name in names:
        if name not in config.domains:
            kind = "domain" if config.exclusive else "attribute"
            raise UsageError(f"this model has no {kind} {name!r}{_suggest(name, config)}: {_choose(config)}")
    if config.exclusive and len(names) > 1:
        raise UsageError(f"--to {to} has several domains, but an image has one: {_choose(config)}")
    return [_target(config, names)]


def _target(config: MultiDomainModelConfig, names: Sequence[str]) -> Target:
    label = tuple(float(name in names) for name in config.domains)
    return Target(",".join(name for name in config.domains if name in names), label)


def _choose(config: MultiDomainModelConfig) -> str:
    """Return which targets a model has, as the remedy of a message."""
    names = ", ".join(config.domains)
    if config.exclusive:
        return f"use --to with one of {names}, or {ALL_DOMAINS}"
    example = ",".join(config.domains[:2])
    return f"use --to with those of {names} that are on, as in --to {example}, or {NO_ATTRIBUTES}"


def _suggest(name: str, config: MultiDomainModelConfig) -> str:
    """Return the nearest domain in brackets; empty if none is near."""
    hint = nearest(name, config.domains).removeprefix("; ")
    return f" ({hint})" if hint.startswith("did you mean") else ""


def _direction_instead(config: ModelConfig, to: str) -> str:
    """Return what to use instead of a target, for a model without several domains."""
    if config.kind != "translation":
        return "leave it out"
    ways = {name: f"{route.source} to {route.target}" for name, route in config.routes.items()}
    if len(ways) == 1:
        return f"leave it out, as this one translates {next(iter(ways.values()))} only"
    matching = [name for name, route in config.routes.items() if route.target == to]
    return " or ".join(f"--direction {name} translates {ways[name]}" for name in matching or ways)
