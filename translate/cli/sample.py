"""The command `translate sample MODEL -o OUT`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import DEVICE, MODEL
from translate.errors import UsageError

DEFAULT_COUNT = 64  # The number of samples without -n.
TRAVERSAL_ROWS = 8  # The number of samples on which the effect of each code is shown.


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@MODEL
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="folder for single images; .png, .jpg or .webp file for a grid; .gif, .webp or .mp4 file for"
    " --interpolate",
)
@click.option(
    "-n", "count", type=click.IntRange(1, 1_000_000), metavar="N", help="number of images  [default: 64]"
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="N",
    help="seed of the noise  [default: 0]",
)
@click.option(
    "--class", "class_name", metavar="NAME", help="class of all images [default: all in turn] (cgan)"
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
@click.option("--traverse", is_flag=True, help="write a grid for each code to the folder OUT (infogan)")
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
    class_name: str | None,
    truncation: float | None,
    interpolate: int | None,
    traverse: bool,
    ema: bool,
    device: str,
    overwrite: bool,
) -> None:
    """Generate images from noise.

    MODEL is a run or a model folder of gan, dcgan, cgan, wgan, wgan-gp or infogan. Image number i of a seed
    is always the same, however many images are generated.
    """
    if traverse and interpolate:
        raise UsageError("--traverse and --interpolate exclude each other: give one of them")
    if count and (traverse or interpolate):
        other = "--traverse" if traverse else "--interpolate"
        raise UsageError(f"{other} sets the number of images: leave -n {count} out")
    if traverse and (class_name or truncation):
        raise UsageError("--traverse takes neither --class nor --truncation: leave them out")
    from translate.inference.predictors.gallery import save_interpolation, save_samples, save_traversals
    from translate.inference.predictors.generation import Sampler, traversals
    from translate.models import Model, locate_model
    from translate.training.runs.checkpoint_models import load_without_ema

    sampler = Sampler(Model.from_pretrained(model), device=device)
    if not ema:
        sampler = Sampler(load_without_ema(locate_model(model)), device=device)
    if traverse:
        summary = save_traversals(
            sampler, traversals(sampler.config, TRAVERSAL_ROWS, seed), out, overwrite=overwrite
        )
    else:
        inputs = sampler.draw(
            interpolate or count or DEFAULT_COUNT, seed, truncation=truncation, class_name=class_name
        )
        save = save_interpolation if interpolate else save_samples
        summary = save(sampler, inputs, out, overwrite=overwrite)
    click.echo(summary)
