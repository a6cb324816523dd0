"""`translate inpaint INPUT... --mask MASK -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import FILES, HELP, INPUT_AND_OUT, MASK


@click.command(context_settings=HELP)
@INPUT_AND_OUT
@MASK
@click.option("--model", default="inpaint", help="a run or a model folder of inpaint, or an installed model")
@FILES
def inpaint(model: str, inputs: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Fill holes in photos: scratches, spots, what is not wanted.

    MASK is white where the photo is to be filled: one image for all, or a folder that holds one for
    each photo, by stem. Strokes on a transparent layer count, whatever their colour. Without a mask,
    what is transparent in the photo is filled. All other pixels stay as they are, to the bit where the
    format is lossless (--format png, for a JPEG). What cannot be read is listed at the end, and the exit
    code is then 3.
    """
    translate_images(model, inputs, out, command="inpaint", **settings)
