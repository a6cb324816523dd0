"""`translate export MODEL -o FILE`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="file to write: .onnx, .xml (OpenVINO, with a .bin beside it) or .pt2 (torch.export)",
)
@click.option(
    "--format", type=click.Choice(["onnx", "openvino", "torch"]), help="[default: as FILE's suffix says]"
)
@click.option(
    "--direction",
    metavar="AtoB|BtoA",
    help="for a model that goes both ways [default: its first]",
)
@click.option("--overwrite", is_flag=True, help="replace a FILE that is there already")
def export(model: str, out: Path, format: str | None, direction: str | None, overwrite: bool) -> None:
    """Write a model as a file that other programs run.

    MODEL is a run or a model folder. The file takes images as float32 (N, C, H, W) in [-1, 1],
    any number and any size that is a multiple of the model's; that of a model from noise takes noise,
    (N, inputs), as its metadata tells. It is run and compared with torch before it is written.
    """
    from translate.inference.runtime.export import TOLERANCE, export
    from translate.models import Model

    done = export(Model.from_pretrained(model), out, format=format, direction=direction, overwrite=overwrite)
    click.echo(
        f"{done.path}: greatest difference from torch {done.difference:.1e} "
        f"over {done.images} random images (tolerance {TOLERANCE:g})"
    )
