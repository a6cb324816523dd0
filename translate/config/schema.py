"""What a setting is: a dataclass field with a default, a help line and a range or choices."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from translate.errors import UsageError, nearest


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    flag: str = "",
    resumable: bool = False,
) -> Any:
    """A config field.

    Args:
        default: the value where nobody says otherwise.
        help: one line for `--help`, with the unit.
        low, high: the allowed range, both ends included.
        choices: the allowed words.
        flag: the flag where it is not `--` + the field's name with dashes.
        resumable: whether `--resume` may change it (length, device, workers, intervals).
    """
    about = {
        "help": help,
        "low": low,
        "high": high,
        "choices": choices,
        "flag": flag,
        "resumable": resumable,
    }
    return dataclasses.field(default=default, metadata=about)


def with_default(kind: type[Any], name: str, default: Any, **about: Any) -> Any:
    """The setting `name` of a parent config with another default, and other words in `about` (`choices`)."""
    return dataclasses.field(default=default, metadata={**kind.__dataclass_fields__[name].metadata, **about})


@dataclasses.dataclass(kw_only=True)
class Config:
    """Base of all configs: values are converted and checked on the way in."""

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in setting_fields(type(self)):
            value = convert(field, hints[field.name], getattr(self, field.name))
            setattr(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Refuse settings that are each allowed but do not go together."""

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, fit for YAML and JSON."""
        return dataclasses.asdict(self)


C = TypeVar("C", bound=Config)


def setting_fields(kind: type[Config]) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a config class that are settings, in the order of their definition."""
    return tuple(f for f in dataclasses.fields(kind) if "help" in f.metadata)


def flag_name(field: dataclasses.Field[Any]) -> str:
    """The command-line flag of a setting, as in `--batch-size`."""
    return field.metadata["flag"] or "--" + field.name.replace("_", "-")


def from_mapping(kind: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build a config from named values; an unknown name is refused with the nearest known one.

    Args:
        where: what the values came from, for the message (`facades.yaml`).
    """
    refuse_unknown(kind, values, where)
    return kind(**values)


def refuse_unknown(kind: type[Config], values: Mapping[str, Any], where: str) -> None:
    known = {f.name for f in dataclasses.fields(kind)}
    for name in values:
        if name not in known:
            raise UsageError(f"{where}: unknown setting {name!r}{nearest(str(name), known)}")


def plain_type(hint: Any) -> tuple[type, bool]:
    """The plain type of an annotation, and whether the setting may be left empty: `int | None`."""
    if isinstance(hint, types.UnionType):
        (plain,) = (t for t in typing.get_args(hint) if t is not type(None))
        return plain, True
    return hint, False


def convert(field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    """Turn what a flag, YAML or the environment gave into the setting's type, and check it.

    YAML reads `2e-4` as a string; here it becomes a number because the field is one.

    Raises:
        UsageError: naming the value, the rule and the setting.
    """
    plain, optional = plain_type(hint)
    if value is None and optional:
        return None
    try:
        value = _parsers[plain](value)
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"{field.name} is {value!r}, but must be {_nouns[plain]}") from None
    _check_range(field, value)
    return value


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    about = field.metadata
    if about["choices"] and value not in about["choices"]:
        raise UsageError(f"{field.name} is {value!r}{nearest(value, about['choices'])}")
    too_low = about["low"] is not None and value < about["low"]
    too_high = about["high"] is not None and value > about["high"]
    if too_low or too_high:
        raise UsageError(f"{field.name} is {value}, but must be {range_text(field)}")


def range_text(field: dataclasses.Field[Any]) -> str:
    """`from 1 to 512`, `at least 1`, or nothing where any value will do."""
    low, high = field.metadata["low"], field.metadata["high"]
    if low is not None and high is not None:
        return f"from {low} to {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else ""


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
    # YAML 1.1 reads the words on and off as booleans.
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


_parsers = {int: _to_int, float: _to_float, bool: _to_bool, str: _to_str}
_nouns = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
