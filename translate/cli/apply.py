"""The command `translate apply MODEL INPUT... -o OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from translate.cli.batch import translate_images
from translate.cli.options import CONTEXT_SETTINGS, INPUT_AND_OUT, MODEL, REPORT, setting_options
from translate.config.apply import FolderOptions, PredictorOptions


@click.command(context_settings=CONTEXT_SETTINGS)
@MODEL
@INPUT_AND_OUT
@setting_options(PredictorOptions)
@setting_options(FolderOptions)
@REPORT
def apply(model: str, inputs: tuple[Path, ...], out: Path, **flags: Any) -> None:
    """Apply a trained model to images and folders of images.

    MODEL is a run, a model folder, or the name of an installed model; one of several domains needs --to. Each
    image keeps its size, name, place in the folder tree, format, bit depth, transparency and colour profile.
    If the command is stopped, give it again to continue. Images that fail are listed at the end, and the exit
    code is then 3.
    """
    translate_images(model, inputs, out, flags)
