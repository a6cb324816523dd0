"""The command `translate sample MODEL -o OUT`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from translate.cli.options import DEVICE, MODEL
from translate.errors import UsageError

if TYPE_CHECKING:
    from translate.inference import Sampler, VolumeSampler

DEFAULT_COUNT = 64  # The number of samples without -n.
TRAVERSAL_ROWS = 8  # The number of samples on which the effect of each code is shown.
IMAGE_OPTIONS = ("class_name", "truncation", "interpolate", "traverse")
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
    "--truncation", type=float, metavar="X", help="draw noise values beyond X again; at least 0.1, try 1.5"
)
@click.option(
    "--interpolate",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="latent interpolation through N images and back to the first",
)
@click.option(
    "--traverse", is_flag=True, help="write a grid for each code to the folder OUT, for a model with codes"
)
@click.option(
    "--mesh", type=click.Choice(["obj", "stl"]), help="format of the meshes of volumes  [default: obj]"
)
@click.option(
    "--turntable",
    type=click.Choice(["gif", "webp"]),
    help="also animate each volume as it turns, which takes seconds each (needs matplotlib)",
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

    MODEL is a run or a model folder of gan, dcgan, cgan, wgan, wgan-gp, infogan or 3dgan. Sample number i of
    a seed is always the same, however many samples are generated. A volume is written as voxels (.npy) and as
    a mesh; a grid shows pictures of volumes.
    MODEL is a run or a model folder of gan, dcgan, cgan, wgan, wgan-gp, infogan or progan. Image number i of
    a seed is always the same, however many images are generated.
    MODEL is a run or a model folder of a recipe from noise. Image number i of a seed is always the same,
    however many images are generated.
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
    if "traverse" in given and "interpolate" in given:
        raise UsageError("--traverse and --interpolate exclude each other: give one of them")
    if count and ("traverse" in given or "interpolate" in given):
        other = "--traverse" if "traverse" in given else "--interpolate"
        raise UsageError(f"{other} sets the number of images: leave -n {count} out")
    if "traverse" in given and ("class_name" in given or "truncation" in given):
        raise UsageError("--traverse takes neither --class nor --truncation: leave them out")


def _save_images(
    sampler: Sampler, out: Path, count: int | None, seed: int, given: Mapping[str, Any], overwrite: bool
) -> str:
    """Write images, an animation, or the traversals of codes; return a line for the user."""
    from translate.inference.predictors.gallery import save_interpolation, save_samples, save_traversals
    from translate.inference.predictors.generation import traversals

    _refuse_others(given, IMAGE_OPTIONS, "images")
    if "traverse" in given:
        return save_traversals(
            sampler, traversals(sampler.config, TRAVERSAL_ROWS, seed), out, overwrite=overwrite
        )
    inputs = sampler.draw(
        given.get("interpolate") or count or DEFAULT_COUNT,
        seed,
        truncation=given.get("truncation"),
        class_name=given.get("class_name"),
    )
    save = save_interpolation if "interpolate" in given else save_samples
    return save(sampler, inputs, out, overwrite=overwrite)


def _save_volumes(
    sampler: VolumeSampler, out: Path, count: int | None, seed: int, given: Mapping[str, Any], overwrite: bool
) -> str:
    """Write volumes, or a grid of their pictures; return a line for the user."""
    from translate.inference.predictors.volumes.gallery import save_volumes

    _refuse_others(given, VOLUME_OPTIONS, "volumes")
    if out.suffix and given:
        raise UsageError(f"{out} is a grid of pictures: give a folder with -o for {_flags(given)}")
    return save_volumes(
        sampler,
        sampler.draw(count or DEFAULT_COUNT, seed),
        out,
        mesh=given.get("mesh", "obj"),
        turntable_format=given.get("turntable"),
        overwrite=overwrite,
    )


def _refuse_others(given: Mapping[str, Any], known: Collection[str], samples: str) -> None:
    """Refuse options that are for samples of another kind."""
    if others := [name for name in given if name not in known]:
        raise UsageError(f"this model generates {samples}: leave {_flags(others)} out")


def _flags(names: Iterable[str]) -> str:
    return " and ".join(f"--{name.removesuffix('_name')}" for name in names)
