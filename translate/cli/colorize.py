"""`translate colorize INPUT... -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import FILES, HELP, INPUT_AND_OUT, SATURATION


@click.command(context_settings=HELP)
@INPUT_AND_OUT
@click.option(
    "--model", default="colorize", help="a run or a model folder of colorize, or an installed model"
)
@SATURATION
@FILES
def colorize(model: str, inputs: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Give gray photos colour.

    The colours are guesses: of what such a photo mostly has. Lightness, size, name, place in the tree,
    format and depth stay the photo's own; a photo that has colours gets new ones. What cannot be read
    is listed at the end, and the exit code is then 3.
    """
    translate_images(model, inputs, out, command="colorize", **settings)
