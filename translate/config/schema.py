"""Settings as dataclass fields with a help line and a range or choices; their conversion and their checks."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from translate.errors import UsageError, nearest

# The sections of `--help`.
GROUPS = ("data", "augmentation", "networks", "losses", "optimization", "run", "performance", "method")


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    flag: str = "",
    metavar: str = "",
    group: str = "method",
    common: bool = False,
    resumable: bool = False,
) -> Any:
    """Return a dataclass field that is a setting: a flag, a YAML key and a keyword argument in one.

    Args:
        default: the value if no source gives one.
        help: one line for `--help`, with the unit.
        low, high: the allowed range, both ends included.
        choices: the allowed values of a string.
        flag: the command-line flag, if it is not `--` and the name of the field with dashes.
        metavar: the placeholder of the value in `--help`; DIR, FILE, MASK and MODEL also select the shell
            completion.
        group: the section of `--help`, one of `GROUPS`.
        common: whether `--help` lists it in the first section, with the settings that most people change.
        resumable: whether `--resume` may change it.
    """
    metadata = {
        "help": help,
        "low": low,
        "high": high,
        "choices": choices,
        "flag": flag,
        "metavar": metavar,
        "group": group,
        "common": common,
        "resumable": resumable,
    }
    return dataclasses.field(default=default, metadata=metadata)


def with_default(config_class: type[Any], name: str, default: Any, **changes: Any) -> Any:
    """Return the setting `name` of a parent config with another default and changed metadata (`choices`)."""
    metadata = {**config_class.__dataclass_fields__[name].metadata, **changes}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(kw_only=True)
class Config:
    """The base class of all configs. It converts and checks the values when it is created."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in setting_fields(type(self)):
            value = convert(field, hints[field.name], getattr(self, field.name))
            setattr(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Refuse settings that are valid one by one but not together."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some settings changed, checked like the original."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dict of plain values, for YAML and JSON."""
        return dataclasses.asdict(self)


C = TypeVar("C", bound=Config)


def setting_fields(config_class: type[Config]) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of a config class that are settings, in the order of their definition."""
    return tuple(f for f in dataclasses.fields(config_class) if "help" in f.metadata)


def flag_name(field: dataclasses.Field[Any]) -> str:
    """Return the command-line flag of a setting, such as `--batch-size`."""
    return field.metadata["flag"] or "--" + field.name.replace("_", "-")


def from_mapping(config_class: type[C], values: Mapping[str, Any], source: str) -> C:
    """Create a config from a mapping of settings to values.

    Args:
        source: the source of the values, for error messages (`facades.yaml`); empty if it is the command.

    Raises:
        UsageError: a setting is unknown (the message names the nearest one), or a value is not allowed.
    """
    reject_unknown(config_class, values, source)
    return config_class(**values)


Function = TypeVar("Function", bound=Callable[..., Any])


def accepts(config_class: type[Config]) -> Callable[[Function], Function]:
    """Return a decorator for a function that takes the settings of a config class as `**options`.

    It adds a keyword argument for each setting to the signature that `help()` and editors show, and replaces
    `{options}` in the docstring by their help lines.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
            )
            for field in setting_fields(config_class)
        ]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        lines = [f"{field.name}: {_help_line(field)}" for field in setting_fields(config_class)]
        before, _, after = (function.__doc__ or "").partition("{options}")
        indent = before.rpartition("\n")[2]
        function.__doc__ = before + f"\n{indent}".join(lines) + after
        return function

    return decorate


def _help_line(field: dataclasses.Field[Any]) -> str:
    """Return the help line of a setting with its choices or its range."""
    limits = "|".join(field.metadata["choices"]) or range_text(field)
    return str(field.metadata["help"]) + (f" ({limits})" if limits else "")


def reject_unknown(config_class: type[Config], values: Mapping[str, Any], source: str) -> None:
    """Refuse names that are not fields of a config class; `source` is as for `from_mapping`."""
    known = {f.name for f in dataclasses.fields(config_class)}
    for name in values:
        if name not in known:
            prefix = f"{source}: " if source else ""
            raise UsageError(f"{prefix}unknown setting {name!r}{nearest(str(name), known)}")


def check_values(config_class: type[Config], values: Mapping[str, Any], source: str) -> None:
    """Refuse unknown settings, and values that are not allowed one by one; the message names their source.

    Args:
        source: the source of the values: `runs/facades/config.yaml`.
    """
    reject_unknown(config_class, values, source)
    hints = typing.get_type_hints(config_class)
    for field in setting_fields(config_class):
        if field.name in values:
            try:
                convert(field, hints[field.name], values[field.name])
            except UsageError as error:
                raise UsageError(f"{source}: {error}") from None


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def _to_bool(value: Any) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    return words[str(value).lower()]


def _to_str(value: Any) -> str:
    if value is None or isinstance(value, (dict, list)):
        raise TypeError(value)
    # YAML 1.1 reads the words `on` and `off` as booleans.
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


PARSERS = {int: _to_int, float: _to_float, bool: _to_bool, str: _to_str}
TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def plain_type(hint: Any) -> tuple[type, bool]:
    """Return the type of an annotation without `None`, and whether `None` was allowed (`int | None`)."""
    if isinstance(hint, types.UnionType):
        (plain,) = (t for t in typing.get_args(hint) if t is not type(None))
        return plain, True
    return hint, False


def convert(field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """Convert a value from a flag, YAML, the environment or Python to the type of the setting, and check it.

    YAML reads `2e-4` as a string, which becomes a number here because the setting is one.

    Raises:
        UsageError: the value is of another type, out of range, or not among the choices.
    """
    plain, optional = plain_type(hint)
    if value is None and optional:
        return None
    try:
        value = PARSERS[plain](value)
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"{field.name} is {value!r}, but must be {TYPE_NAMES[plain]}") from None
    _check_range(field, value)
    return value


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    metadata = field.metadata
    choices = metadata["choices"]
    if choices and value not in choices:
        rule = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        close = difflib.get_close_matches(value, choices, n=1) if len(choices) > 1 else []
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"{field.name} is {value!r}, but must be {rule}{hint}")
    too_low = metadata["low"] is not None and value < metadata["low"]
    too_high = metadata["high"] is not None and value > metadata["high"]
    if too_low or too_high:
        raise UsageError(f"{field.name} is {value}, but must be {range_text(field)}")


def range_text(field: dataclasses.Field[Any]) -> str:
    """Return the allowed range in words, such as `from 1 to 512` or `at least 1`; empty if there is none."""
    low, high = field.metadata["low"], field.metadata["high"]
    if low is not None and high is not None:
        return f"from {low} to {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else ""
