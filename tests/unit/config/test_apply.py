"""The options of applying a model: the same names and defaults on the command line and in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click
import pytest

import translate
from translate.cli.apply import apply
from translate.cli.colorize import colorize
from translate.cli.inpaint import inpaint
from translate.config import Config, FolderOptions, PredictorOptions, flag_name, setting_fields
from translate.errors import UsageError

FUNCTIONS: list[tuple[type[Config], Callable[..., Any]]] = [
    (PredictorOptions, translate.load),
    (FolderOptions, translate.Translator.folder),
]
OPTIONS = [
    pytest.param(field, function, id=field.name)
    for kind, function in FUNCTIONS
    for field in setting_fields(kind)
]


@pytest.mark.parametrize(("field", "function"), OPTIONS)
def test_a_flag_and_its_python_argument_have_one_name_and_one_default(
    field: Any, function: Callable[..., Any]
) -> None:
    argument = inspect.signature(function).parameters[field.name]
    assert argument.kind is argument.KEYWORD_ONLY
    assert argument.default == field.default
    assert f"{field.name}: {field.metadata['help']}" in (function.__doc__ or "")
    flags = {flag: option for option in apply.params for flag in option.opts}
    option = flags[flag_name(field)]
    assert isinstance(option, click.Option)
    assert option.name == field.name
    assert option.get_default(click.Context(apply)) is None  # The config alone holds the default.
    about, bracket, default = field.metadata["help"].partition(" [default:")  # The range comes between them.
    assert (option.help or "").startswith(about)
    assert bracket + default in (option.help or "")
    if field.type != "bool" and field.default is not None:
        assert f"[default: {field.default}]" in (option.help or "")


@pytest.mark.parametrize("command", [colorize, inpaint])
def test_the_special_commands_have_a_subset_of_the_flags_of_apply(command: click.Command) -> None:
    flags = {flag for parameter in apply.params for flag in parameter.opts}
    special = {flag for parameter in command.params for flag in parameter.opts}
    assert special - flags == {"--model"}
    assert {"--device", "--precision", "--format", "--overwrite", "--workers"} <= special


def test_options_are_converted_and_checked() -> None:
    assert FolderOptions(max_megapixels="0.5").max_pixels == 500_000
    with pytest.raises(UsageError, match=r"format .*'bmp'"):
        FolderOptions(format="bmp")
    with pytest.raises(UsageError, match=r"precision .*'fp8'"):
        PredictorOptions(precision="fp8")
