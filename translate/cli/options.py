"""Command-line options that are made from settings, and those that several commands share."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from translate.config.schema import Config, flag_name, plain_type, range_text, setting_fields

PATH = click.Path(path_type=Path)
INSTALLED_MODELS = Path(__file__).parents[1] / "models" / "installed"  # Importing their module imports torch.
CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}

Command = Callable[..., None]


class SettingType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A parameter type that passes the raw string on; the config converts and checks it, as it does for YAML.

    Args:
        field: the setting.
        value_type: the type of its values.
    """

    name = "setting"

    def __init__(self, field: dataclasses.Field[Any], value_type: type) -> None:
        self.choices = field.metadata["choices"]
        self.placeholder = field.metadata["metavar"] or "|".join(self.choices) or value_type.__name__.upper()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete choices, folders, files and models."""
        if self.placeholder == "MODEL":
            return complete_model(ctx, param, incomplete)
        if self.placeholder in ("DIR", "FILE", "MASK"):
            return [CompletionItem(incomplete, type="dir" if self.placeholder == "DIR" else "file")]
        return [CompletionItem(choice) for choice in self.choices if choice.startswith(incomplete)]


class SettingOption(click.Option):
    """An option for a setting.

    Attributes:
        group: the section of `--help` that lists it.
        common: whether it is in the first section, with the options that most people use.
    """

    group: str
    common: bool


def setting_option(
    config_class: type[Config], field: dataclasses.Field[Any], *, negatable: bool
) -> SettingOption:
    """Create the option for a setting; its value is None if the flag is not given.

    Args:
        negatable: whether a switch also has a `--no-...` form, which overrides a config file.
    """
    flag, about = flag_name(field), field.metadata
    value_type, _ = plain_type(typing.get_type_hints(config_class)[field.name])
    bounds = range_text(field)
    # The range comes before a default that the help line itself states.
    text, bracket, default = about["help"].partition(" [default:")
    text += (f"; {bounds}" if bounds else "") + bracket + default
    if value_type is bool:
        names = f"{flag}/--no-{flag[2:]}" if negatable else flag
        text += f"  [default: {'on' if field.default else 'off'}]" if negatable else ""
        option = SettingOption([names, field.name], default=None, is_flag=True, help=text)
    else:
        setting_type = SettingType(field, value_type)
        text += f"  [default: {field.default}]" if field.default is not None else ""
        short = ["-o"] if field.name == "out" else []
        option = SettingOption(
            [*short, flag, field.name],
            default=None,
            type=setting_type,
            metavar=setting_type.placeholder,
            help=text,
        )
    option.group, option.common = about["group"], about["common"]
    return option


def setting_options(config_class: type[Config], *names: str) -> Callable[[Command], Command]:
    """Return a decorator that gives a command an option for each setting of a config class.

    Args:
        names: the names of the settings; by default all.
    """
    fields = [field for field in setting_fields(config_class) if not names or field.name in names]

    def decorate(command: Command) -> Command:
        # Like decorators, click collects options from the last to the first.
        for field in reversed(fields):
            option = setting_option(config_class, field, negatable=False)
            command.__click_params__ = [*getattr(command, "__click_params__", []), option]  # type: ignore[attr-defined]
        return command

    return decorate


def combine(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine decorators into one; `--help` lists their options in this order."""

    def decorate(command: Command) -> Command:
        # Decorators apply from the last to the first, as if written above the command in this order.
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an installed model, of a run under runs/, or a path."""
    models = sorted(path.parent.name for path in INSTALLED_MODELS.glob("*/config.json"))
    runs = sorted(str(path.parent) for path in Path("runs").glob("*/config.yaml"))
    names = [*models, *runs]
    matches = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return matches or [CompletionItem(incomplete, type="file")]


def complete_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the path of a folder; a dataset may also be a name or a URL."""
    return [CompletionItem(incomplete, type="dir")]


MODEL = click.argument("model", shell_complete=complete_model)
INPUT_AND_OUT = combine(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH),
    click.option("-o", "--out", required=True, metavar="OUT", type=PATH, help="folder to write to"),
)
REPORT = click.option(
    "--report", metavar="FILE.json", type=PATH, help="write the result for each file to FILE.json"
)
DEVICE = click.option("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps")
