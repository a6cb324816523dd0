"""`translate sample MODEL -o OUT`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.errors import UsageError

SAMPLES = 64  # where -n does not say
ROWS = 8  # samples that each code is shown on


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="a folder for single images; a .png, .jpg or .webp for a grid; a .gif, .webp or .mp4 for a walk",
)
@click.option("-n", "count", type=click.IntRange(1, 1_000_000), help="images  [default: 64]")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="which images they are"
)
@click.option("--class", "asked", metavar="NAME", help="make images of this class only (cgan)")
@click.option("--truncation", type=float, help="draw noise beyond this anew, from 0.1; try 1.5")
@click.option(
    "--interpolate",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="walk through N images and back",
)
@click.option("--traverse", is_flag=True, help="a grid for each code, into the folder OUT (infogan)")
@click.option("--ema/--no-ema", default=True, help="the averaged generator, or a run's latest as it is")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
@click.option("--overwrite", is_flag=True, help="replace what is there already")
def sample(
    model: str,
    out: Path,
    count: int | None,
    seed: int,
    asked: str | None,
    truncation: float | None,
    interpolate: int | None,
    traverse: bool,
    ema: bool,
    device: str,
    overwrite: bool,
) -> None:
    """Make images from noise.

    MODEL is a run or a model folder of gan, dcgan, cgan, wgan, wgan-gp or infogan. The same number of
    the same seed is the same image, however many are made.
    """
    if traverse and interpolate:
        raise UsageError("--traverse and --interpolate are two things to make: give one of them")
    if count and (traverse or interpolate):
        other = "--traverse" if traverse else "--interpolate"
        raise UsageError(f"{other} says how many images there are: leave -n {count} out")
    if traverse and (asked or truncation):
        raise UsageError("--traverse shows codes as they are: leave --class and --truncation out")
    from translate.inference.predictors.gallery import save_samples, save_traversals, save_walk
    from translate.inference.predictors.generation import Sampler, traversals
    from translate.models import Model
    from translate.training.runs.checkpoint_models import load_without_ema

    sampler = Sampler(Model.from_pretrained(model), device=device)
    if not ema:
        sampler = Sampler(load_without_ema(Path(model)), device=device)
    if traverse:
        told = save_traversals(sampler, traversals(sampler.config, ROWS, seed), out, overwrite=overwrite)
    else:
        inputs = sampler.draw(interpolate or count or SAMPLES, seed, truncation=truncation, asked=asked)
        save = save_walk if interpolate else save_samples
        told = save(sampler, inputs, out, overwrite=overwrite)
    click.echo(told)
