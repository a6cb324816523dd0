"""The command `translate sample MODEL -o OUT`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate.cli.options import DEVICE, MODEL, PATH
from translate.errors import UsageError

if TYPE_CHECKING:
    from translate.inference import Sampler, VolumeSampler

DEFAULT_COUNT = 64  # The number of samples without -n.
TRAVERSAL_ROWS = 8  # The number of samples on which the effect of each code is shown.
MAX_MIX = 32  # Images of a side of a grid of mixed styles.
IMAGE_OPTIONS = ("class_name", "truncation", "interpolate", "mix", "start", "traverse")
EXCLUSIVE = ("traverse", "interpolate", "mix")
FLAGS = {"class_name": "class", "start": "from"}  # Where the name differs.
VOLUME_OPTIONS = ("mesh", "turntable")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@MODEL
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="folder for single images or volumes; .png, .jpg or .webp file for a grid; .gif, .webp or .mp4 file"
    " for --interpolate",
)
@click.option(
    "-n", "count", type=click.IntRange(1, 1_000_000), metavar="N", help="number of samples  [default: 64]"
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="N",
    help="seed of the noise  [default: 0]",
)
@click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="class of all images, for a model with classes  [default: all in turn]",
)
@click.option(
    "--truncation",
    type=float,
    metavar="X",
    help="less variety for better images: draw noise values beyond X again, at least 0.1, try 1.5; for a"
    " model with styles, the share of the way from the mean w, 0 to 2, try 0.7 (stylegan2)",
)
@click.option(
    "--interpolate",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="latent interpolation through N images and back to the first",
)
@click.option(
    "--mix",
    metavar="RxC",
    help="a grid of mixed styles: shapes of R images, colours and details of C other ones (stylegan2)",
)
@click.option(
    "--from",
    "start",
    metavar="FILE",
    type=PATH,
    help="file of styles by translate project, which take the place of the first samples (stylegan2)",
)
@click.option("--traverse", is_flag=True, help="write a grid for each code to the folder OUT (infogan)")
@click.option(
    "--mesh", type=click.Choice(["obj", "stl"]), help="format of the meshes of volumes  [default: obj]"
)
@click.option(
    "--turntable",
    type=click.Choice(["gif", "webp", "none"]),
    help="format of an animation of each volume as it turns, which takes seconds each  [default: gif, if"
    " matplotlib is installed]",
)
@click.option(
    "--ema/--no-ema",
    default=True,
    help="sample with the exponential moving average of the weights, or with the latest weights",
)
@DEVICE
@click.option("--overwrite", is_flag=True, help="replace existing files")
def sample(
    model: str,
    out: Path,
    count: int | None,
    seed: int,
    ema: bool,
    device: str,
    overwrite: bool,
    **options: Any,
) -> None:
    """Generate images or volumes from noise.

    MODEL is a run or a model folder of a recipe from noise. Sample number i of a seed is always the same,
    however many samples are generated. A volume is written as voxels (.npy) and as a mesh; a grid shows
    pictures of volumes.
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    _refuse_conflicts(given, count)
    from translate.inference import VolumeSampler, load_sampler
    from translate.models import Model, locate_model
    from translate.training.runs.checkpoint_models import load_without_ema

    sampler = load_sampler(Model.from_pretrained(model), device=device)
    if not ema:
        sampler = load_sampler(load_without_ema(locate_model(model)), device=device)
    if isinstance(sampler, VolumeSampler):
        summary = _save_volumes(sampler, out, count, seed, given, overwrite)
    else:
        summary = _save_images(sampler, out, count, seed, given, overwrite)
    click.echo(summary)


def _refuse_conflicts(given: Mapping[str, Any], count: int | None) -> None:
    """Refuse options for images that exclude each other."""
    modes = [name for name in EXCLUSIVE if name in given]
    if len(modes) > 1:
        raise UsageError(f"--{modes[0]} and --{modes[1]} exclude each other: give one of them")
    if count and modes:
        raise UsageError(f"--{modes[0]} sets the number of images: leave -n {count} out")
    others = [name for name in ("class_name", "truncation", "start") if name in given]
    if "traverse" in given and others:
        raise UsageError(f"--traverse draws inputs of its own: leave {_flags(others)} out")


def _save_images(
    sampler: Sampler, out: Path, count: int | None, seed: int, given: Mapping[str, Any], overwrite: bool
) -> str:
    """Write images, an animation, mixed styles, or traversals of codes; return a line for the user."""
    import torch

    from translate.inference.predictors import gallery
    from translate.inference.predictors.generation import traversals
    from translate.inference.predictors.styles.latent_file import load_styles

    _refuse_others(given, IMAGE_OPTIONS, "images")
    if "traverse" in given:
        grids = traversals(sampler.config, TRAVERSAL_ROWS, seed)
        return gallery.save_traversals(sampler, grids, out, overwrite=overwrite)
    if others := [name for name in ("mix", "start") if name in given and not sampler.config.styles]:
        recipe = sampler.config.method
        raise UsageError(f"{_flags(others)}: a model of {recipe} has no styles: give one of stylegan2")
    rows, columns = _grid_size(given["mix"]) if "mix" in given else (0, 0)
    inputs = sampler.draw(
        given.get("interpolate") or count or rows + columns or DEFAULT_COUNT,
        seed,
        truncation=given.get("truncation"),
        class_name=given.get("class_name"),
    )
    if "start" in given:
        start = load_styles(given["start"], sampler)
        inputs = torch.cat((start, inputs[len(start) :]))[: len(inputs)]
    if rows:
        return gallery.save_mix(sampler, inputs[:rows], inputs[rows:], out, overwrite=overwrite)
    save = gallery.save_interpolation if "interpolate" in given else gallery.save_samples
    return save(sampler, inputs, out, overwrite=overwrite)


def _grid_size(text: str) -> tuple[int, int]:
    """Return the rows and columns that a text such as 4x4 names."""
    rows, _, columns = text.lower().partition("x")
    numbers = [int(part) if part.isascii() and part.isdecimal() else 0 for part in (rows, columns)]
    if not all(1 <= number <= MAX_MIX for number in numbers):
        raise UsageError(f"--mix {text} is no grid: give rows and columns from 1 to {MAX_MIX}, such as 4x4")
    return numbers[0], numbers[1]


def _save_volumes(
    sampler: VolumeSampler, out: Path, count: int | None, seed: int, given: Mapping[str, Any], overwrite: bool
) -> str:
    """Write volumes, or a grid of their pictures; return a line for the user."""
    from translate.inference.predictors.volumes.gallery import save_volumes
    from translate.volumes.turntable import has_matplotlib

    _refuse_others(given, VOLUME_OPTIONS, "volumes")
    if out.suffix and given:
        raise UsageError(f"{out} is a grid of pictures: give a folder with -o for {_flags(given)}")
    turntable = given.get("turntable", "gif" if has_matplotlib() else "none")
    summary = save_volumes(
        sampler,
        sampler.draw(count or DEFAULT_COUNT, seed),
        out,
        mesh=given.get("mesh", "obj"),
        turntable_format=None if turntable == "none" else turntable,
        overwrite=overwrite,
    )
    if out.suffix or "turntable" in given or has_matplotlib():
        return summary
    return f"{summary}; no turntables without matplotlib: pip install 'translate-images[volumes]'"


def _refuse_others(given: Mapping[str, Any], known: Collection[str], samples: str) -> None:
    """Refuse options that are for samples of another kind."""
    if others := [name for name in given if name not in known]:
        raise UsageError(f"this model generates {samples}: leave {_flags(others)} out")


def _flags(names: Iterable[str]) -> str:
    return " and ".join(f"--{FLAGS.get(name, name)}" for name in names)
