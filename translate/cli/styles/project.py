"""The command `translate project MODEL IMAGE -o OUT.png`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import DEVICE, MODEL, PATH


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@MODEL
@click.argument("image", metavar="IMAGE", type=PATH)
@click.option(
    "-o", "--out", required=True, metavar="OUT", type=PATH, help=".png, .jpg or .webp file to write"
)
@click.option(
    "--steps",
    type=click.IntRange(1, 100_000),
    default=500,
    metavar="N",
    help="steps of the optimization  [default: 500]",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, metavar="N", help="seed  [default: 0]")
@DEVICE
@click.option("--overwrite", is_flag=True, help="replace existing files")
def project(model: str, image: Path, out: Path, steps: int, seed: int, device: str, overwrite: bool) -> None:
    """Find the image of a model's latent space that is nearest to IMAGE.

    MODEL is a run or a model folder of stylegan2. Images are compared by the features of MobileNetV2, whose
    weights are downloaded once. Beside OUT, the styles that were found are written as OUT.safetensors:
    `translate sample MODEL --from OUT.safetensors` walks from there, or mixes them with others.
    """
    from translate.images import read_rgb, write_rgb
    from translate.inference.predictors.gallery import GRID_SUFFIXES, check_output
    from translate.inference.predictors.generation import Sampler
    from translate.inference.predictors.styles.latent_file import SUFFIX, save_styles
    from translate.inference.predictors.styles.projection import find_styles
    from translate.models import Model

    latent = out.with_suffix(SUFFIX)
    check_output(out, GRID_SUFFIXES, overwrite=overwrite)
    check_output(latent, (SUFFIX,), overwrite=overwrite)
    sampler = Sampler(Model.from_pretrained(model), device=device)
    found = find_styles(sampler, read_rgb(image), seed=seed, steps=steps)
    write_rgb(sampler(found.styles)[0][..., : sampler.config.out_channels], out)
    save_styles(found.styles, latent)
    click.echo(f"{out} and {latent}: distance {found.distance:.3f}, of {found.start:.3f} of the mean image")
