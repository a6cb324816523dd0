"""The command `translate colorize INPUT... -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import CONTEXT_SETTINGS, INPUT_AND_OUT, REPORT, complete_model, setting_options
from translate.config.apply import FolderOptions, PredictorOptions


@click.command(context_settings=CONTEXT_SETTINGS)
@INPUT_AND_OUT
@click.option(
    "--model",
    default="colorize",
    metavar="MODEL",
    shell_complete=complete_model,
    help="a run or a model folder of colorize, or an installed model",
)
@setting_options(PredictorOptions, "saturation", "alpha", "range", "device", "precision")
@setting_options(FolderOptions, "format", "keep_metadata", "overwrite", "max_megapixels", "workers")
@REPORT
def colorize(model: str, inputs: tuple[Path, ...], out: Path, **flags: Any) -> None:
    """Colorize gray photos.

    The colours are guesses: those that such photos have most often. A photo keeps its lightness, size, name,
    place in the folder tree, format and bit depth; a colour photo gets new colours. Photos that fail are
    listed at the end, and the exit code is then 3.
    """
    translate_images(model, inputs, out, flags, kind="colorization")
