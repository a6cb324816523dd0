"""The commands `translate data check` and `translate data demo`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from translate.cli.options import complete_folder, setting_options
from translate.config import TrainConfig, TranslationConfig
from translate.config.value_range import AUTO
from translate.errors import SomeFilesFailedError, UsageError
from translate.methods.gan3d.config import SIDES
from translate.methods.stargan.config import StarGANConfig, split_attributes


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Check a dataset before training, or write the built-in one."""


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=click.IntRange(16, 1024),
    metavar="N",
    help="side of the images, 16 to 1024 pixels  [default: 64]; of shapes, 32 or 64 voxels  [default: 32]",
)
@click.option(
    "--domains",
    type=click.IntRange(2, 3),
    metavar="N",
    help="2: horses and zebras; 3: horses in three coats, for stargan  [default: 2]",
)
@click.option("--shapes", is_flag=True, help="synthetic chairs, tables, lamps and shelves, for 3dgan")
def demo(folder: Path, size: int | None, domains: int | None, shapes: bool) -> None:
    """Write the built-in dataset, synthetic horses and zebras, to DIR.

    It is drawn, without a download, to trainA/ trainB/ testA/ testB/. A horse and the zebra of the same scene
    share a file name, so that it serves for paired and unpaired training. With three domains, the horses of
    train/ and test/ are in the sub-folders black/ brown/ striped/. With --shapes, synthetic shapes are
    written instead, as voxels (.npy) in chairs/ tables/ lamps/ shelves/.
    """
    if shapes:
        if domains is not None:
            raise UsageError(f"--domains {domains} is for images: leave it or --shapes out")
        _write_shapes(folder, size or SIDES[0])
    else:
        _write_horses(folder, size or 64, domains or 2)


def _write_horses(folder: Path, size: int, domains: int) -> None:
    """Write horses and zebras, or horses in three coats, unless another dataset is there."""
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


def _write_shapes(folder: Path, size: int) -> None:
    """Write the built-in shapes."""
    if size not in SIDES:
        raise UsageError(f"size is {size}, but shapes are 32 or 64 voxels a side: use --size {SIDES[0]}")
    from translate.data.shapes import KINDS, write_shapes

    write_shapes(folder, size=size)
    click.echo(f"wrote synthetic shapes ({', '.join(KINDS)}) to {folder}")
    click.echo(f"next: translate train 3dgan --data {quote(str(folder))} --image-size {size}")


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
    that cannot be used are listed; the exit code is then 3. With --labels, it is checked for stargan. A
    folder of volumes without images is checked for 3dgan.
    """
    from translate.data.discovery.check import check_dataset
    from translate.data.volumes import check_volumes

    has_options = any(value is not None for value in (domain_a, domain_b, labels, attributes))
    report = None if folder is None or has_options else check_volumes(folder, max(SIDES))
    report = report or check_dataset(
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
