"""`translate apply MODEL INPUT... -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import FILES, HELP, INPUT_AND_OUT, MASK, SATURATION


@click.command(context_settings=HELP)
@click.argument("model")
@INPUT_AND_OUT
@click.option(
    "--direction",
    metavar="AtoB|BtoA",
    help="for a model that goes both ways [default: its first]",
)
@click.option("--tile", default="auto", metavar="auto|off|N", help="cut large images into tiles of N pixels")
@click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "openvino", "onnxruntime"]),
    default="auto",
    help="auto is the quickest that is installed",
)
@click.option("--compile", is_flag=True, help="compile the network: for hundreds of images of one size")
@SATURATION
@MASK
@FILES
def apply(model: str, inputs: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Translate images and folders with a trained model.

    MODEL is a run, a model folder, or the name of an installed model. Each image keeps its size,
    name, place in the tree, format, depth, transparency and colour profile. A second run goes on where
    the first one stopped. What cannot be read is listed at the end, and the exit code is then 3.
    """
    translate_images(model, inputs, out, **settings)
