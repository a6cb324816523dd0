"""Times this toolkit beside the plain recipe, in one run on the machine at hand.

python tools/benchmark.py train
python tools/benchmark.py train --case cyclegan-256 --way "no flag given"
python tools/benchmark.py train --case pix2pix-256-8 --reference pytorch-CycleGAN-and-pix2pix/
python tools/benchmark.py train --case pix2pix-256-16 --device cuda
python tools/benchmark.py apply --network unet --model runs/pix2pix --photos photos/
python tools/benchmark.py data
python tools/benchmark.py startup
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from timing import applying, loading, measure, plain, starting, training

from translate.errors import UsageError
from translate.models import Model, pick_device

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
JSON = click.option("--json", "json_file", type=PATH, help="write the figures there, too")
ROUNDS = click.option("--rounds", default=5, show_default=True, help="of which the median is told")
PHOTOS = click.option("--photos", type=PATH, help="folder of photos [default: the built-in set]")
Row = dict[str, Any]


@click.group()
def main() -> None:
    """Time this toolkit beside the plain recipe, in one run."""


@main.command()
@click.option(
    "--case", "names", type=click.Choice(list(training.CASES)), multiple=True, help="[default: all]"
)
@click.option(
    "--way", "ways", type=click.Choice(list(training.WAYS)), multiple=True, help="of ours [default: all]"
)
@click.option("--reference", type=FOLDER, help="also time this checkout of the authors' code")
@click.option("--device", "where", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps")
@ROUNDS
@JSON
def train(
    names: Sequence[str],
    ways: Sequence[str],
    reference: Path | None,
    where: str,
    rounds: int,
    json_file: Path | None,
) -> None:
    """A step of training, in milliseconds."""
    try:
        device = pick_device(where)
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    about = {**measure.machine(device), "rates": measure.matrix_rates(device)}
    rate = max(about["rates"].values())
    cases = [training.CASES[name] for name in names or training.CASES]
    told: Row = {
        "machine": about,
        "rows": [
            row
            for case in cases
            for row in training.rows(
                case, ways or training.WAYS, rounds, rate=rate, device=device, folder=reference
            )
        ],
    }
    click.echo(f"{measure.describe_error(about)}; a step of training\n")
    shape = {
        "": "case",
        " ": "way",
        "ms": "ms:.0f",
        "times as fast": "ratio:.2f",
        "of the matrix rate": "share:.0%",
        "GB at most": "peak_gb:.2f",
    }
    show(told["rows"], shape)
    write(json_file, told)


@main.command()
@PHOTOS
@click.option("--side", default=600, show_default=True, help="height of the JPEGs, in pixels")
@click.option("--count", default=100, show_default=True, help="JPEGs")
@click.option("--batches", default=40, show_default=True, help="of eight images, a round")
@ROUNDS
@JSON
def data(
    photos: Path | None, side: int, count: int, batches: int, rounds: int, json_file: Path | None
) -> None:
    """Images a second from JPEGs to the network, by two workers."""
    with place() as work:
        loading.write_photos(work / "in", photos or scenes(work, count, side), side, count)
        told: Row = {"machine": measure.machine(), "rows": loading.rows(work / "in", rounds, batches)}
    sizes = f"{count} JPEGs of {side * 4 // 3}x{side}, crops of {loading.SIDE}"
    click.echo(f"{measure.describe_error(told['machine'])}; {sizes}, {loading.WORKERS} workers\n")
    show(told["rows"], {"": "way", "images/s": "images_a_second:.0f", "times as fast": "ratio:.1f"})
    write(json_file, told)


@main.command()
@click.option("--network", type=click.Choice(list(applying.NETWORKS)), default="resnet", show_default=True)
@click.option("--model", type=PATH, help="a trained model [default: random weights]")
@PHOTOS
@click.option("--count", default=64, show_default=True, help="photos")
@click.option("--side", default=256, show_default=True, help="their side, in pixels")
@click.option("--compile/--no-compile", "compiled", default=True, help="also time the compiled network")
@ROUNDS
@JSON
def apply(
    network: str,
    model: Path | None,
    photos: Path | None,
    count: int,
    side: int,
    compiled: bool,
    rounds: int,
    json_file: Path | None,
) -> None:
    """A folder of JPEGs through a network."""
    with place() as work:
        given = Model.from_pretrained(model) if model else applying.random_model(network)
        files = applying.write_jpegs(work / "in", photos or scenes(work, count, side), count, side)
        rows = applying.timed(applying.the_ways(given, compiled), files, work, rounds)
        told: Row = {"machine": measure.machine(), "rows": rows}
    click.echo(f"{measure.describe_error(told['machine'])}; {count} JPEGs of {side} px\n")
    shape = {"": "way", "ms an image": "ms_a_image:.0f", "times as fast": "ratio:.2f"}
    show(told["rows"], {**shape, "PSNR to float32, dB": "psnr:.1f"})
    write(json_file, told)


@main.command()
@click.option("--network", type=click.Choice(list(applying.NETWORKS)), default="resnet", show_default=True)
@ROUNDS
@JSON
def startup(network: str, rounds: int, json_file: Path | None) -> None:
    """From a command to its answer, in seconds; one photo of 256 px."""
    with place() as work:
        applying.random_model(network).save_pretrained(work / "model")
        (image,) = applying.write_jpegs(work / "in", scenes(work, 1, 256), 1, 256)
        rows = starting.rows(work / "model", image, work, rounds)
        told: Row = {"machine": measure.machine(), "rows": rows}
    click.echo(f"{measure.describe_error(told['machine'])}\n")
    show(told["rows"], {"": "way", "seconds": "seconds:.2f", "times as fast": "ratio:.2f"})
    write(json_file, told)


@main.command(name="plain", hidden=True)
@click.argument("model", type=PATH)
@click.argument("image", type=PATH)
@click.argument("out", type=PATH)
def plain_command(model: Path, image: Path, out: Path) -> None:
    """One image by the plain recipe, for the cold start."""
    network = plain.plain(Model.from_pretrained(model).generator())
    plain.image(network, image).save(out, quality=90)


@contextmanager
def place() -> Iterator[Path]:
    """A folder for a while, with a cache folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["TRANSLATE_CACHE"] = str(Path(name) / "cache")
        yield Path(name)


def scenes(work: Path, count: int, side: int) -> Path:
    """Images of the built-in set."""
    from translate.data.demo import write_demo

    write_demo(work / "scenes", size=min(side, 512), train=min(count, 64), test=1)
    return work / "scenes" / "trainA"


def show(rows: Sequence[Row], columns: dict[str, str]) -> None:
    """A table in Markdown.

    Args:
        columns: by heading, a field of the rows and its format; a row that lacks it leaves it empty.
    """

    def cell(row: Row, what: str) -> str:
        return f"{{{what}}}".format(**row) if what.partition(":")[0] in row else ""

    click.echo(f"| {' | '.join(heading.strip() for heading in columns)} |")
    click.echo("|" + " --- |" * len(columns))
    for row in rows:
        click.echo(f"| {' | '.join(cell(row, what) for what in columns.values())} |")


def write(file: Path | None, told: dict[str, Any]) -> None:
    if file:
        file.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
