"""An extension of griffe, which reads the docstrings for the reference: it knows the project's settings.

griffe does not run the package, so it does not see what `accepts` adds to a function, nor the help of a
setting. Importing `translate.config` needs no other package.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import griffe

from translate import config

# An item of a docstring for several names, `low, high: the range`, with its indented further lines.
SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+)(: .*(?:\n\1 +.*)*)", re.MULTILINE)
ERRORS = {"TranslateError", "UsageError", "DataError"}
INDENT = "\n    "  # between the items of a section


class Settings(griffe.Extension):  # type: ignore[misc]  # griffe is not in the environment of mypy
    """An extension that shows the settings of functions and configs as `help()` and `--help` do."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Repeat what a docstring says of several names at once for each of them."""
        if obj.docstring:
            obj.docstring.value = SEVERAL.sub(_repeat, obj.docstring.value)

    def on_module(self, *, mod: griffe.Module, **_: Any) -> None:
        """Link the errors that docstrings list in a module that does not import them."""
        for name in ERRORS - mod.members.keys():
            mod.set_member(name, griffe.Alias(name, f"translate.errors.{name}"))

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Replace `**options` by the settings that a function accepts."""
        for decorator in func.decorators:
            if decorator.callable_path == "translate.config.accepts":
                _add_options(func, getattr(config, str(decorator.value.arguments[0])))

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the settings that a config itself declares to its docstring."""
        if not cls.path.startswith("translate.config.") or "dataclass" not in cls.labels:
            return
        config_class = getattr(importlib.import_module(cls.module.path), cls.name)
        lines = [
            line if field.default is None else f"{line}; by default, `{field.default!r}`"
            for field, line in zip(config.setting_fields(config_class), _help(config_class), strict=True)
            if field.name in config_class.__annotations__
        ]
        if lines:
            cls.docstring.value = INDENT.join([f"{cls.docstring.value}\n\nAttributes:", *lines])


def _repeat(item: re.Match[str]) -> str:
    indent, names, text = item.groups()
    return "\n".join(f"{indent}{name}{text}" for name in names.split(", "))


def _help(config_class: type[config.Config]) -> list[str]:
    """Return the help lines of all settings of a config, which `accepts` writes into a docstring."""

    def documented(**options: Any) -> None:
        """{options}"""

    return str(config.accepts(config_class)(documented).__doc__).splitlines()


def _add_options(function: griffe.Function, config_class: type[config.Config]) -> None:
    """Add the settings of a config to the docstring and the signature of a function."""
    function.docstring.value = function.docstring.value.replace("{options}", INDENT.join(_help(config_class)))
    del function.parameters["options"]
    for field in config.setting_fields(config_class):
        function.parameters.add(
            griffe.Parameter(
                field.name,
                annotation=field.type,
                kind=griffe.ParameterKind.keyword_only,
                default=repr(field.default),
            )
        )
