"""The command `translate models`."""

from __future__ import annotations

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def models() -> None:
    """List the installed models, and what each is for."""
    from translate.models import installed_models
    from translate.models.model import CARD, WEIGHTS

    for name, folder in installed_models().items():
        about = (folder / CARD).read_text(encoding="utf-8").split("\n\n")[1].replace("\n", " ")
        size = (folder / WEIGHTS).stat().st_size / 1e6
        click.echo(f"{name}  {size:.1f} MB  {about}")
        click.echo(f"  {folder / CARD}")
