"""Benchmark this package against the plain PyTorch recipe, on this machine.

python tools/benchmark.py train
python tools/benchmark.py train --case cyclegan-256 --way "no flag given"
python tools/benchmark.py train --case pix2pix-256-8 --reference pytorch-CycleGAN-and-pix2pix/
python tools/benchmark.py train --case cut-128 --case fastcut-128 --case cyclegan-128
python tools/benchmark.py train --device cuda
python tools/benchmark.py apply --network unet --model runs/pix2pix --photos photos/
python tools/benchmark.py apply --device cuda
python tools/benchmark.py data
python tools/benchmark.py data --device cuda
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
import torch
from timing import applying, cost, loading, measure, plain, starting, training

from translate.errors import UsageError
from translate.models import Model, pick_device

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
JSON = click.option("--json", "json_file", type=PATH, help="also write the results to this file")
ROUNDS = click.option("--rounds", default=5, show_default=True, help="timed rounds; the median is reported")
DEVICE = click.option(
    "--device", "device_name", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps"
)
PHOTOS = click.option("--photos", type=PATH, help="folder of photos [default: the built-in dataset]")
Row = dict[str, Any]

TRAINING_COLUMNS = {
    "": "case",
    " ": "way",
    "ms": "ms:.0f",
    "times as fast": "ratio:.2f",
    "of the matrix rate": "share:.0%",
    "GB at most": "peak_gb:.2f",
    "GB of tensors": "tensors_gb:.2f",
    "of CycleGAN's ms": "time_share:.2f",
    "of CycleGAN's tensors": "tensors_share:.2f",
}
GPU_TRAINING_COLUMNS = {
    "": "case",
    " ": "way",
    "ms": "ms:.2f",
    "times plain fp32": "ratio:.2f",
    "times plain TF32": "ratio_tf32:.2f",
    "of the matrix rate": "share:.0%",
    "GB at most": "peak_gb:.2f",
    "of plain's": "memory:.0%",
    "GB of tensors": "tensors_gb:.2f",
    "of CycleGAN's ms": "time_share:.2f",
    "of CycleGAN's tensors": "tensors_share:.2f",
    "seconds to start": "start:.1f",
}
LOADING_COLUMNS = {"": "way", "images/s": "images_a_second:.0f", "times as fast": "ratio:.1f"}
GPU_LOADING_COLUMNS = {
    **LOADING_COLUMNS,
    "batches/s": "batches_a_second:.0f",
    "waiting for data": "waiting:.1%",
}
APPLYING_COLUMNS = {"": "way", "ms an image": "ms_a_image:.0f", "times as fast": "ratio:.2f"}
GPU_APPLYING_COLUMNS = {
    "": "way",
    "images/s": "images_a_second:.0f",
    "times as fast": "ratio:.2f",
    "seconds to the first": "start:.2f",
    "images/s after it": "after_start:.0f",
    "outputs that depend on others": "differing:.0f",
}
PSNR_COLUMN = {"PSNR to float32, dB": "psnr:.1f"}
DCGAN_IMAGES, DCGAN_MINUTES = 4096, 1.0  # of the run that shows how long a GPU waits for images
COUNT_ON_CPU, COUNT_ON_GPU = 64, 1600  # of photos to apply a model to


@click.group()
def main() -> None:
    """Benchmark this package against the plain PyTorch recipe."""


@main.command()
@click.option(
    "--case",
    "names",
    type=click.Choice(list(training.CASES)),
    multiple=True,
    help="[default: those that suit the device]",
)
@click.option(
    "--way",
    "ways",
    type=click.Choice(list(training.WAYS)),
    multiple=True,
    help="flags to time this package with [default: those that differ on the device]",
)
@click.option("--reference", type=FOLDER, help="also time this checkout of the authors' code")
@DEVICE
@ROUNDS
@JSON
def train(
    names: Sequence[str],
    ways: Sequence[str],
    reference: Path | None,
    device_name: str,
    rounds: int,
    json_file: Path | None,
) -> None:
    """Time a training step, in milliseconds."""
    device = get_device(device_name)
    # A cache folder of its own, so that the first variant that compiles finds no compiled programs there.
    with work_folder():
        machine = {**measure.machine(device), "rates": measure.matrix_rates(device)}
        rate = max(machine["rates"].values())
        ways = ways or training.default_ways(device)
        rows = []
        cases = [training.CASES[name] for name in names or training.default_cases(device)]
        for group in cost.group_cases(cases, device):
            rows += training.rows(group, ways, rounds, rate=rate, device=device, folder=reference)
    if device.type == "cpu":
        cost.add_tensors(cases, rows)
    cost.compare_with_cyclegan(rows)
    click.echo(f"{measure.describe_machine(machine)}; a step of training\n")
    print_table(rows, GPU_TRAINING_COLUMNS if device.type == "cuda" else TRAINING_COLUMNS)
    write_json(json_file, machine, rows)


@main.command()
@PHOTOS
@click.option("--side", default=600, show_default=True, help="height of the JPEGs in pixels")
@click.option("--count", default=100, show_default=True, help="number of JPEGs")
@click.option("--batches", default=40, show_default=True, help="batches of eight images in each round")
@DEVICE
@ROUNDS
@JSON
def data(
    photos: Path | None,
    side: int,
    count: int,
    batches: int,
    device_name: str,
    rounds: int,
    json_file: Path | None,
) -> None:
    """Time data loading from JPEGs by two workers, in images per second.

    On a GPU, this includes the way to its memory, and a run of one minute shows how long it waits for images.
    """
    device = get_device(device_name)
    with work_folder() as work:
        source = photos or write_demo_images(work, count, side)
        loading.write_photos(work / "in", source, side, count)
        rows, machine = loading.rows(work / "in", rounds, batches, device), measure.machine(device)
        if device.type == "cuda":
            applying.write_jpegs(work / "small", source, DCGAN_IMAGES, 64)
            rows.append(loading.waiting_row(work / "small", work / "run", device, minutes=DCGAN_MINUTES))
    sizes = f"{count} JPEGs of {side * 4 // 3}x{side}, crops of {loading.CROP_SIZE}"
    click.echo(f"{measure.describe_machine(machine)}; {sizes}, {loading.WORKERS} workers\n")
    print_table(rows, GPU_LOADING_COLUMNS if device.type == "cuda" else LOADING_COLUMNS)
    write_json(json_file, machine, rows)


@main.command()
@click.option("--network", type=click.Choice(list(applying.NETWORKS)), default="resnet", show_default=True)
@click.option("--model", type=PATH, help="a trained model [default: random weights]")
@PHOTOS
@click.option(
    "--count", type=int, help=f"number of photos [default: {COUNT_ON_CPU}; on a GPU {COUNT_ON_GPU}]"
)
@click.option("--side", default=256, show_default=True, help="side of the photos in pixels")
@click.option("--compile/--no-compile", "compiled", default=True, help="also time the compiled network")
@DEVICE
@ROUNDS
@JSON
def apply(
    network: str,
    model: Path | None,
    photos: Path | None,
    count: int | None,
    side: int,
    compiled: bool,
    device_name: str,
    rounds: int,
    json_file: Path | None,
) -> None:
    """Time the translation of a folder of JPEGs; on a GPU, also compare outputs of different company."""
    device = get_device(device_name)
    count = count or (COUNT_ON_GPU if device.type == "cuda" else COUNT_ON_CPU)
    with work_folder() as work:
        subject = Model.from_pretrained(model) if model else applying.create_random_model(network)
        files = applying.write_jpegs(work / "in", photos or write_demo_images(work, count, side), count, side)
        variants = applying.create_variants(subject, compiled, device)
        rows = applying.time_variants(variants, files, work, rounds)
        if device.type == "cuda":
            for row in rows[1:]:
                row["differing"] = applying.count_differing(variants[row["way"]], files, work)
        machine = measure.machine(device)
    click.echo(f"{measure.describe_machine(machine)}; {count} JPEGs of {side} px\n")
    columns = GPU_APPLYING_COLUMNS if device.type == "cuda" else APPLYING_COLUMNS
    print_table(rows, {**columns, **PSNR_COLUMN})
    write_json(json_file, machine, rows)


@main.command()
@click.option("--network", type=click.Choice(list(applying.NETWORKS)), default="resnet", show_default=True)
@ROUNDS
@JSON
def startup(network: str, rounds: int, json_file: Path | None) -> None:
    """Time commands from a cold start, in seconds, on one photo of 256 px."""
    with work_folder() as work:
        applying.create_random_model(network).save_pretrained(work / "model")
        (image,) = applying.write_jpegs(work / "in", write_demo_images(work, 1, 256), 1, 256)
        rows = starting.rows(work / "model", image, work, rounds)
        machine = measure.machine()
    click.echo(f"{measure.describe_machine(machine)}\n")
    print_table(rows, {"": "way", "seconds": "seconds:.2f", "times as fast": "ratio:.2f"})
    write_json(json_file, machine, rows)


@main.command(name="plain", hidden=True)
@click.argument("model", type=PATH)
@click.argument("image", type=PATH)
@click.argument("out", type=PATH)
def plain_command(model: Path, image: Path, out: Path) -> None:
    """Translate one image by the plain recipe, as the baseline of `startup`."""
    network = plain.plain_copy(Model.from_pretrained(model).generator())
    plain.translate_image(network, image).save(out, quality=90)


def get_device(name: str) -> torch.device:
    """Return the device of a name, or end the command with a message."""
    try:
        return pick_device(name)
    except UsageError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def work_folder() -> Iterator[Path]:
    """Create a temporary folder, with a cache folder in it that this package uses."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["TRANSLATE_CACHE"] = str(Path(name) / "cache")
        yield Path(name)


def write_demo_images(work: Path, count: int, side: int) -> Path:
    """Write images of the built-in dataset; return their folder."""
    from translate.data.demo import write_demo

    write_demo(work / "scenes", size=min(side, 512), train=min(count, 64), test=1)
    return work / "scenes" / "trainA"


def print_table(rows: Sequence[Row], columns: dict[str, str]) -> None:
    """Print a table in Markdown.

    Args:
        columns: maps each heading to a key of the rows and a format; a row without the key has an empty cell.
    """

    def cell(row: Row, field: str) -> str:
        return f"{{{field}}}".format(**row) if field.partition(":")[0] in row else ""

    click.echo(f"| {' | '.join(heading.strip() for heading in columns)} |")
    click.echo("|" + " --- |" * len(columns))
    for row in rows:
        click.echo(f"| {' | '.join(cell(row, field) for field in columns.values())} |")


def write_json(file: Path | None, machine: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write the results to a file, if there is one."""
    if file:
        file.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
