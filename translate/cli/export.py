"""The command `translate export MODEL -o FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import MODEL, setting_options
from translate.config.apply import PredictorOptions


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@MODEL
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="file to write: .onnx, .xml (OpenVINO, which adds a .bin file) or .pt2 (torch.export)",
)
@click.option(
    "--format",
    type=click.Choice(["onnx", "openvino", "torch"]),
    help="format to write [default: by the suffix of FILE]",
)
@setting_options(PredictorOptions, "direction")
@click.option("--overwrite", is_flag=True, help="replace FILE if it exists")
def export(model: str, out: Path, format: str | None, direction: str | None, overwrite: bool) -> None:
    """Write a model as a file for other programs.

    MODEL is a run or a model folder. The network in the file takes images as float32 (N, C, H, W) in [-1, 1],
    with any number of images and any size that is a multiple of the model's size multiple; a model from noise
    takes noise, (N, inputs), as the metadata of the file says, and returns images or volumes. A model of
    several domains also takes a label, (N, domains), for whatever target. The file holds the network alone:
    it does not reduce images to the working size, as `translate apply` does. Before it is written, its output
    is compared with that of torch.
    """
    from translate.config import MultiDomainModelConfig
    from translate.inference.runtime.export import TOLERANCE, export
    from translate.models import Model

    source = Model.from_pretrained(model)
    result = export(source, out, format=format, direction=direction, overwrite=overwrite)
    click.echo(
        f"{result.path}: differs from torch by at most {result.difference:.1e}"
        f" over {result.images} random inputs ({TOLERANCE:g} allowed)"
    )
    if isinstance(source.config, MultiDomainModelConfig):
        entry = "for its domain" if source.config.exclusive else "for each attribute that is on"
        names = ", ".join(source.config.domains)
        click.echo(f"its second input, label, is 1 {entry} and 0 elsewhere, in the order {names}")
    if source.config.working_size:
        click.echo(
            f"it holds the network alone, trained at {source.config.working_size} px (shorter side):"
            " reduce larger images to that size, as translate apply does"
        )
