"""The command `translate import CHECKPOINT -o MODEL`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from translate.config.training.images import DIRECTIONS
from translate.errors import UsageError

PATH = click.Path(path_type=Path)


@click.command("import", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", metavar="CHECKPOINT", type=PATH)
@click.option("-o", "--out", required=True, metavar="MODEL", type=PATH, help="folder to write to")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    help="direction of the generator, or the one to import of two [default: by the names, BtoA for"
    " *_net_G_B.pth, and by train_opt.txt]",
)
@click.option(
    "--statistics",
    type=click.Choice(["running", "picture"]),
    default="running",
    help="statistics that batch norm uses: the running ones, as the authors' test.py --eval does, or each"
    " image's own, as it does without --eval [default: running]",
)
@click.option(
    "--load-size",
    type=click.IntRange(8, 8192),
    metavar="N",
    help="side that the training images were resized to, in pixels [default: by train_opt.txt]",
)
@click.option("--overwrite", is_flag=True, help="replace the model in MODEL")
def importing(
    checkpoint: Path,
    out: Path,
    direction: str | None,
    statistics: str,
    load_size: int | None,
    overwrite: bool,
) -> None:
    """Import generators of the authors' CycleGAN, pix2pix and CUT code as a model.

    CHECKPOINT is a *_net_G*.pth, or a folder of them (checkpoints/horse2zebra), of which the newest epoch is
    imported, in both directions if it has them. Files of other code with the same generators are read as
    well. U-Net and ResNet generators of any width and depth are read, with batch norm, instance norm or none;
    the architecture is printed. What train_opt.txt beside the file tells of the training is kept. Nothing in
    the file can run code.
    """
    from translate.models.reference import describe, import_reference

    refuse(out, overwrite=overwrite)
    model = import_reference(checkpoint, statistics=statistics, direction=direction, load_size=load_size)
    model.save_pretrained(out)
    directions = " and ".join(model.generators)
    scale = model.config.scale
    resized = f", trained on images resized to {scale.resize_to} px" if scale and scale.resize_to else ""
    click.echo(f"{describe(model.config)}, {directions}{resized}: {out}{os.sep}")


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
