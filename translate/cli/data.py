"""`translate data`: look at a data set, or write the built-in one."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Look at a data set before training, or write the built-in one."""


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--size", default=64, show_default=True, type=click.IntRange(16, 1024), help="side in pixels")
def demo(folder: Path, size: int) -> None:
    """Write the built-in set, synthetic horses and zebras, to DIR.

    Made on the spot, with no download: trainA/ trainB/ testA/ testB/, the two coats of a scene
    under one name, so that it serves paired and unpaired training.
    """
    from translate.data.demo import write_demo

    write_demo(folder, size=size)
    click.echo(f"wrote horses (A) and zebras (B) to {folder}")
    click.echo(f"next: translate train cyclegan --data {quote(str(folder))} --image-size {size}")


@data.command()
@click.argument("folder", metavar="DIR")
def check(folder: str) -> None:
    """Look at the data set in DIR: what it can train, and what is wrong with it.

    Every image is decoded. Exit code 3 if something has to be left out.
    """
    from translate.data.discovery.check import inspect
    from translate.errors import SomeFilesFailedError

    report = inspect(folder)
    for line in report.lines:
        click.echo(line)
    if report.problems:
        raise SomeFilesFailedError(f"things to look at: {len(report.problems)}, listed above")
