"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

PATH = click.Path(path_type=Path)
HELP = {"help_option_names": ["-h", "--help"], "show_default": True}

Command = Callable[..., None]


def options(*given: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine decorators into one, in the order in which help lists them."""

    def decorated(command: Command) -> Command:
        for option in reversed(given):
            command = option(command)
        return command

    return decorated


INPUT_AND_OUT = options(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH),
    click.option("-o", "--out", required=True, metavar="OUT", type=PATH, help="folder to write to"),
)
SATURATION = click.option(
    "--saturation",
    type=click.FloatRange(0),
    default=1.0,
    help="factor of the chroma, for a model of colorize",
)
MASK = options(
    click.option(
        "--mask", metavar="MASK", type=PATH, help="white is filled: one for all, or a folder by stem"
    ),
    click.option("--invert", is_flag=True, help="what is white in the mask is kept, all else is filled"),
    click.option(
        "--dilate", type=click.IntRange(0, 1000), default=0, help="enlarge each hole by so many pixels"
    ),
)
FILES = options(
    click.option(
        "--format",
        type=click.Choice(["keep", "png", "jpg", "webp"]),
        default="keep",
        help="what to write; keep is each image's own",
    ),
    click.option("--keep-metadata", is_flag=True, help="keep the place (GPS) and XMP, too"),
    click.option(
        "--max-megapixels",
        type=click.IntRange(1),
        default=250,
        help="refuse images with more, all frames counted",
    ),
    click.option("--report", metavar="FILE.json", type=PATH, help="write what became of each file"),
    click.option("--overwrite", is_flag=True, help="translate again what OUT holds already"),
    click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps"),
    click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), default="auto"),
    click.option(
        "--workers", type=click.IntRange(0, 64), default=2, help="threads that read, and as many that write"
    ),
)
