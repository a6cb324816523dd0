"""`translate train RECIPE`: the flags are the fields of the recipe's config."""

from __future__ import annotations

import dataclasses
import os
import sys
import typing
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from translate import distributed
from translate.config import TrainConfig, collect_settings, flag_name, load_yaml, setting_fields
from translate.config.schema import plain_type, range_text
from translate.errors import UsageError, nearest
from translate.methods.registry import find_method, method_names

if TYPE_CHECKING:
    from translate.training.session import Session


NEXT = {  # by the kind of the model, the command by which a person tries what was trained
    "translation": "translate apply {} PHOTOS/ -o out/",
    "inpainting": "translate apply {} PHOTOS/ --mask MASK.png -o out/",
    "generation": "translate sample {} -o out/",
}


class Recipes(click.Group):
    """A command for each recipe, and for a YAML file that names one."""

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
            ctx.fail(f"the recipe comes first: translate train RECIPE {name} ...")
        if self.get_command(ctx, name) is None:
            ctx.fail(f"no recipe {name!r}{nearest(name, method_names())}; or give a YAML file")
        return super().resolve_command(ctx, args)


def recipe_of(file: Path) -> str:
    """The recipe that a YAML file names."""
    name = load_yaml(file).get("recipe")
    if name is None:
        raise UsageError(f"{file} names no recipe: add a line like 'recipe: pix2pix'")
    find_method(str(name))
    return str(name)


@click.command(
    cls=Recipes,
    subcommand_metavar="RECIPE [OPTIONS]",
    short_help="Train a model on your images.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def train() -> None:
    """Train a model on your images.

    RECIPE is a name below, or a YAML file that names one (configs/facades.yaml).
    'translate train RECIPE --help' lists its settings.
    """


def recipe_command(name: str, file: Path | None = None) -> click.Command:
    """The command of one recipe: a flag for each setting of its config, and those of any run."""
    method = find_method(name)
    settings = method.config_class()
    own = [
        click.Option(["--config"], metavar="FILE", help="YAML file of settings, weaker than flags"),
        click.Option(["--resume"], is_flag=True, help="go on with the run in --out where it stopped"),
        click.Option(["--overwrite"], is_flag=True, help="replace the run in --out"),
        click.Option(["--dry-run"], is_flag=True, help="show settings, data and memory, and train nothing"),
    ]

    def run(config: str | None, resume: bool, overwrite: bool, dry_run: bool, **flags: Any) -> None:
        files = tuple(f for f in (file, Path(config) if config else None) if f)
        given = {key: value for key, value in flags.items() if value is not None}
        if file:
            given.setdefault("out", f"runs/{file.stem}")
        _train(name, given, files, resume=resume, overwrite=overwrite, dry_run=dry_run)

    options = [*own, *(_option(settings, field) for field in setting_fields(settings))]
    return click.Command(name, params=list(options), callback=run, help=f"Train {method.about}.")


def _option(kind: type[TrainConfig], field: dataclasses.Field[Any]) -> click.Option:
    """A flag that hands on what was typed; the config converts and checks it, as for YAML."""
    flag, plain = flag_name(field), plain_type(typing.get_type_hints(kind)[field.name])[0]
    notes = [field.metadata["help"]]
    if field.metadata["choices"]:
        notes.append(" | ".join(field.metadata["choices"]))
    notes += [range_text(field)] if range_text(field) else []
    notes += [f"[default: {field.default}]"] if field.default is not None else []
    text = "; ".join(notes[:-1]) + " " + notes[-1] if field.default is not None else "; ".join(notes)
    if plain is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", field.name], default=None, help=text)
    short = ["-o"] if field.name == "out" else []  # as the commands that write images call it
    return click.Option([*short, flag, field.name], default=None, metavar=plain.__name__.upper(), help=text)


def _train(
    name: str, flags: dict[str, Any], files: tuple[Path, ...], *, resume: bool, overwrite: bool, dry_run: bool
) -> None:
    for file in files:
        if (of := load_yaml(file).get("recipe", name)) != name:
            raise UsageError(f"{file} is for the recipe {of}, not for {name}")
    given = collect_settings(find_method(name).config_class(), flags, files=files, environ=os.environ)

    from translate.training.session import Session

    first = distributed.rank() == 0
    if first:
        click.echo("looking at the images", err=True)
    session = Session(name, given, resume=resume, overwrite=overwrite)
    if dry_run:
        if first:
            click.echo(session.describe())
        return
    folder = quote(str(session.run.folder))
    ended = session.train()
    if first:
        _print_summary(name, folder, session, ended=ended)
    if not ended:
        sys.exit(128 + session.signal)


def _print_summary(name: str, folder: str, session: Session, *, ended: bool) -> None:
    """Print where things are, and what a person does next."""
    if not ended:
        command = f"translate train {name} --out {folder} --resume"
        click.echo(f"stopped and saved; go on with: {command}", err=True)
        return
    samples = f", images of it in {session.run.samples}" if session.run.samples.is_dir() else ""
    click.echo(f"the model is in {session.run.model}{samples}")
    from translate.models import read_model_config

    kind = read_model_config(session.run.model).kind
    click.echo(f"next: {NEXT.get(kind, NEXT['translation']).format(folder)}")
