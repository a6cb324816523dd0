"""The command `translate train RECIPE`, whose flags are the settings of the recipe's config."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from translate import distributed
from translate.cli.options import PATH, SettingOption, setting_option
from translate.config import collect_settings, load_yaml, setting_fields
from translate.config.schema import GROUPS
from translate.errors import UsageError, nearest
from translate.methods.registry import find_method, method_names
from translate.progress import message

if TYPE_CHECKING:
    from translate.training.session import Session


NEXT_COMMAND = {  # How to try a trained model, by its kind.
    "translation": "translate apply {} PHOTOS/ -o out/",
    "colorization": "translate colorize PHOTOS/ -o out/ --model {}",
    "inpainting": "translate inpaint PHOTOS/ --mask MASK.png -o out/ --model {}",
    "generation": "translate sample {} -o out/",
    "volume": "translate sample {} -o out/",
    "multidomain": "translate apply {} PHOTOS/ --to {domain} -o out/",
}

TITLES = {"networks": "Network", "losses": "Loss"}  # The titles of groups, if they are not their names.


class RecipeGroup(click.Group):
    """A group with a command for each recipe, and for a YAML file that names one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return method_names()

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name.endswith((".yaml", ".yml")):
            file = Path(name)
            return recipe_command(recipe_of(file), file)
        return recipe_command(name) if name in method_names() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-"):
            ctx.fail(f"{name} comes before the recipe: write translate train RECIPE {name} ...")
        if self.get_command(ctx, name) is None:
            ctx.fail(f"no recipe or YAML file {name!r}{nearest(name, method_names())}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete recipes, and paths of YAML files."""
        recipes = [name for name in method_names() if name.startswith(incomplete)]
        items = [CompletionItem(name, help=find_method(name).about) for name in recipes]
        return items or [CompletionItem(incomplete, type="file")]


class RecipeCommand(click.Command):
    """A command whose `--help` lists the common options first, and the others by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        settings = [option for option in options if isinstance(option, SettingOption)]
        others = [option for option in options if not isinstance(option, SettingOption)]
        common = [
            option for group in GROUPS for option in settings if option.common and option.group == group
        ]
        _write_section(ctx, formatter, "Common options", [*common, *others])
        for group in GROUPS:
            rest = [option for option in settings if not option.common and option.group == group]
            _write_section(ctx, formatter, f"{TITLES.get(group, group.capitalize())} options", rest)


def _write_section(
    ctx: click.Context, formatter: click.HelpFormatter, title: str, options: Sequence[click.Option]
) -> None:
    if rows := [row for option in options if (row := option.get_help_record(ctx))]:
        with formatter.section(title):
            formatter.write_dl(rows)


def recipe_of(file: Path) -> str:
    """Return the recipe that a YAML file names."""
    name = load_yaml(file).get("recipe")
    if name is None:
        raise UsageError(f"{file} does not name a recipe: add a line like 'recipe: pix2pix'")
    find_method(str(name))
    return str(name)


@click.command(
    cls=RecipeGroup,
    subcommand_metavar="RECIPE [OPTIONS]",
    short_help="Train a model on your images.",
    # Without `ignore_unknown_options`, click refuses a flag before the recipe without saying why.
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
)
def train() -> None:
    """Train a model on your images.

    RECIPE is one of the commands below, or a YAML file that names one (configs/facades.yaml).
    'translate train RECIPE --help' lists its settings.
    """


def recipe_command(name: str, file: Path | None = None) -> click.Command:
    """Create the command of a recipe, with a flag for each setting of its config.

    Args:
        file: a YAML file of settings that names the recipe.
    """
    method = find_method(name)
    config_class = method.config_class()
    settings = [setting_option(config_class, field, negatable=True) for field in setting_fields(config_class)]
    run_options = [
        click.Option(
            ["--config"], metavar="FILE", type=PATH, help="YAML file of settings; flags override it"
        ),
        click.Option(["--resume"], is_flag=True, help="continue the run in --out"),
        click.Option(["--overwrite"], is_flag=True, help="replace the run in --out"),
        click.Option(["--dry-run"], is_flag=True, help="show settings, data and memory, and do not train"),
    ]

    def run(config: Path | None, resume: bool, overwrite: bool, dry_run: bool, **flags: Any) -> None:
        files = tuple(path for path in (file, config) if path)
        given = {key: value for key, value in flags.items() if value is not None}
        if file:
            given.setdefault("out", f"runs/{file.stem}")
        _train(name, given, files, resume=resume, overwrite=overwrite, dry_run=dry_run)

    about = f"Train {method.about}."
    return RecipeCommand(name, params=[*settings, *run_options], callback=run, help=about)


def _train(
    name: str, flags: dict[str, Any], files: tuple[Path, ...], *, resume: bool, overwrite: bool, dry_run: bool
) -> None:
    for file in files:
        if (recipe := load_yaml(file).get("recipe", name)) != name:
            raise UsageError(
                f"{file} is for the recipe {recipe}, not for {name}:"
                f" use translate train {recipe}, or another --config"
            )
    config_class = find_method(name).config_class()
    given = collect_settings(config_class, flags, files=files, environ=os.environ)
    if not given.get("init"):  # Its model decides on settings, and needs torch to be read.
        config_class(**given)  # Refuse wrong settings before torch is imported, which takes seconds.

    from translate.models import path_argument
    from translate.training.session import Session

    is_first = distributed.rank() == 0
    if is_first:
        message("checking the dataset")
    session = Session(name, given, resume=resume, overwrite=overwrite)
    if dry_run:
        if is_first:
            click.echo(session.describe())
        return
    folder = quote(path_argument(session.run.folder))
    completed = session.train()
    if is_first:
        _print_summary(name, folder, session, completed=completed)
    if not completed:
        sys.exit(128 + session.signal)


def _print_summary(name: str, folder: str, session: Session, *, completed: bool) -> None:
    """Print where the results are, and which command comes next."""
    if not completed:
        command = f"translate train {name} --out {folder} --resume"
        state = "stopped and saved" if session.run.checkpoints() else "stopped before the first step"
        click.echo(f"{state}; continue with: {command}", err=True)
        return
    samples = f", its samples in {session.run.samples}" if session.run.samples.is_dir() else ""
    click.echo(f"the model is in {session.run.model}{samples}")
    from translate.models import path_argument, read_model_config

    config = read_model_config(session.run.model)
    command = NEXT_COMMAND.get(config.kind, NEXT_COMMAND["translation"])
    model = quote(path_argument(session.run.best_model)) if session.has_stopped_early else folder
    click.echo(f"next: {command.format(model, domain=quote(config.domains[-1]))}")
