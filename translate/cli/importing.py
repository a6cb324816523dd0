"""The command `translate import CHECKPOINT.pth -o MODEL`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from translate.config.images import DIRECTIONS
from translate.errors import UsageError

PATH = click.Path(path_type=Path)


@click.command("import", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", metavar="CHECKPOINT.pth", type=PATH)
@click.option("-o", "--out", required=True, metavar="MODEL", type=PATH, help="folder to write to")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    help="direction of the generator [default: by the file name, BtoA for *_net_G_B.pth]",
)
@click.option(
    "--statistics",
    type=click.Choice(["running", "picture"]),
    default="running",
    help="statistics that batch norm uses: the running ones, as the authors' test.py --eval does, or each"
    " image's own, as it does without --eval [default: running]",
)
@click.option("--overwrite", is_flag=True, help="replace the model in MODEL")
def importing(checkpoint: Path, out: Path, direction: str | None, statistics: str, overwrite: bool) -> None:
    """Import a generator of the authors' CycleGAN and pix2pix code, a *_net_G*.pth, as a model.

    U-Net and ResNet generators of any width and depth are read, with batch norm, instance norm or none; the
    architecture is printed. Nothing in the file can run code.
    """
    from translate.models.reference import describe, import_reference

    refuse(out, overwrite=overwrite)
    model = import_reference(checkpoint, statistics=statistics, direction=direction)
    model.save_pretrained(out)
    click.echo(f"{describe(model.config)}: {out}{os.sep}")


def refuse(out: Path, *, overwrite: bool) -> None:
    """Refuse to write over a file, into a run, or over a model without --overwrite.

    Raises:
        UsageError: it is one of these.
    """
    from translate.models.model import CONFIG, WEIGHTS

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: give a folder with -o")
    parent = out.parent
    in_a_run = (parent / "config.yaml").is_file() and (parent / "checkpoints").is_dir()
    if in_a_run or (out / "config.yaml").is_file():
        raise UsageError(f"{out} is the folder of a run: give another folder with -o")
    if not overwrite and ((out / CONFIG).exists() or (out / WEIGHTS).exists()):
        raise UsageError(f"{out} holds a model: give --overwrite, or another folder with -o")
