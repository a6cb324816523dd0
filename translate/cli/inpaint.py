"""The command `translate inpaint INPUT... --mask MASK -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import CONTEXT_SETTINGS, INPUT_AND_OUT, REPORT, complete_model, setting_options
from translate.config.apply import FolderOptions, PredictorOptions


@click.command(context_settings=CONTEXT_SETTINGS)
@INPUT_AND_OUT
@setting_options(FolderOptions, "mask", "invert", "dilate")
@click.option(
    "--model",
    default="inpaint",
    metavar="MODEL",
    shell_complete=complete_model,
    help="a run or a model folder of inpaint, or an installed model",
)
@setting_options(PredictorOptions, "range", "device", "precision")
@setting_options(FolderOptions, "format", "keep_metadata", "overwrite", "max_megapixels", "workers")
@REPORT
def inpaint(model: str, inputs: tuple[Path, ...], out: Path, **flags: Any) -> None:
    """Fill holes in photos: scratches, spots, unwanted objects.

    MASK is white where a photo is to be filled: one image for all photos, or a folder with a mask for each
    photo, of the same stem. Of two values, the brighter one counts as white; in a mask with transparency,
    strokes of one colour do. A mask that marks nothing or everything, or whose meaning is not clear, is
    refused. Without MASK, masks beside the photos are taken (a_mask.png for a.jpg), or else transparent
    pixels are filled. All other pixels keep their values exactly, if the output format is lossless (for a
    JPEG: --format png). Photos that fail are listed at the end, and the exit code is then 3.
    """
    translate_images(model, inputs, out, flags, kind="inpainting")
