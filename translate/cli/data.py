"""The commands `translate data check` and `translate data demo`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from translate.cli.options import complete_folder, setting_options
from translate.config import TrainConfig, TranslationConfig
from translate.config.value_range import AUTO
from translate.errors import SomeFilesFailedError, UsageError
from translate.methods.stargan.config import StarGANConfig, split_attributes


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Check a dataset before training, or write the built-in one."""


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--size",
    default=64,
    type=click.IntRange(16, 1024),
    metavar="PIXELS",
    help="side of the images, from 16 to 1024  [default: 64]",
)
@click.option(
    "--domains",
    default=2,
    type=click.IntRange(2, 3),
    metavar="N",
    help="2: horses and zebras; 3: horses in three coats, for stargan  [default: 2]",
)
def demo(folder: Path, size: int, domains: int) -> None:
    """Write the built-in dataset, synthetic horses and zebras, to DIR.

    It is drawn, without a download, to trainA/ trainB/ testA/ testB/. A horse and the zebra of the same scene
    share a file name, so that it serves for paired and unpaired training. With three domains, the horses of
    train/ and test/ are in the sub-folders black/ brown/ striped/.
    """
    from translate.data.demo import COATS, write_coats, write_demo

    of_two, of_three = ("trainA", "trainB", "testA", "testB"), ("train", "test")
    for name in of_two if domains == len(COATS) else of_three:
        if (folder / name).exists():
            raise UsageError(
                f"{folder / name} is of another dataset, and would be mixed with this one: give another DIR"
            )
    if domains == len(COATS):
        write_coats(folder, size=size)
        click.echo(f"wrote horses in three coats ({', '.join(COATS)}) to {folder}")
        click.echo(f"next: translate train stargan --data {quote(str(folder))} --image-size {size}")
        return
    write_demo(folder, size=size)
    click.echo(f"wrote horses (A) and zebras (B) to {folder}")
    click.echo(f"next: translate train cyclegan --data {quote(str(folder))} --image-size {size}")


@data.command()
@click.argument("folder", metavar="[DIR]", required=False, shell_complete=complete_folder)
@setting_options(TranslationConfig, "domain_a", "domain_b")
@setting_options(StarGANConfig, "labels", "attributes")
@setting_options(TrainConfig, "range")
def check(
    folder: str | None,
    domain_a: str | None,
    domain_b: str | None,
    labels: str | None,
    attributes: str | None,
    range: str | None,
) -> None:
    """Check what the dataset in DIR, or in two folders of images, can train.

    It says which folders are domain A, domain B and the validation set. Every image is decoded, and files
    that cannot be used are listed; the exit code is then 3. With --labels, it is checked for stargan.
    """
    from translate.data.discovery.check import check_dataset

    report = check_dataset(
        folder,
        range or AUTO,
        domain_a=domain_a,
        domain_b=domain_b,
        labels=labels,
        attributes=split_attributes(attributes) if attributes is not None else None,
    )
    for line in report.lines:
        click.echo(line)
    if report.problems:
        raise SomeFilesFailedError(f"problems found: {len(report.problems)}, listed above")
