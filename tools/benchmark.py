"""Times this toolkit beside the plain recipe, in one run on the machine at hand.

python tools/benchmark.py apply
python tools/benchmark.py apply --network unet --model runs/pix2pix --photos photos/
"""

from __future__ import annotations

import copy
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch import nn

from translate.config import GeneratorSpec, ModelConfig
from translate.inference import Translator
from translate.models import Model
from translate.networks import create_generator, initialize
from translate.networks.blocks import InstanceNorm

NETWORKS = {
    "resnet": GeneratorSpec(name="resnet", depth=9),
    "unet": GeneratorSpec(name="unet", depth=8, norm="batch"),
}


@click.group()
def main() -> None:
    """Time this toolkit beside the plain recipe, in one run."""


@main.command()
@click.option("--network", type=click.Choice(list(NETWORKS)), default="resnet", show_default=True)
@click.option("--model", type=click.Path(path_type=Path), help="a trained model [default: random weights]")
@click.option(
    "--photos", type=click.Path(path_type=Path), help="folder of photos [default: the built-in set]"
)
@click.option("--count", default=64, show_default=True, help="photos")
@click.option("--side", default=256, show_default=True, help="their side, in pixels")
@click.option("--rounds", default=5, show_default=True, help="of which the median is told")
@click.option("--compile/--no-compile", "compiled", default=True, help="also time the compiled network")
@click.option("--cold/--no-cold", default=True, help="also time one photo from a cold start")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="write the figures there, too")
def apply(
    network: str,
    model: Path | None,
    photos: Path | None,
    count: int,
    side: int,
    rounds: int,
    compiled: bool,
    cold: bool,
    json_file: Path | None,
) -> None:
    """A folder of JPEGs through a network, each way in turn, `rounds` times."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["TRANSLATE_CACHE"] = str(work / "cache")
        given = Model.from_pretrained(model) if model else random_model(network)
        given.save_pretrained(work / "model")
        files = write_jpegs(work / "in", photos, count, side)
        ways = the_ways(given, compiled)
        rows = timed(ways, files, work, rounds)
        told = {"machine": machine(), "pictures": count, "side": side, "rows": rows}
        if cold:
            told["cold"] = cold_start(work, files[0], rounds)
    show(told)
    if json_file:
        json_file.write_text(json.dumps(told, indent=1) + "\n")


def random_model(network: str) -> Model:
    """A network of the papers' size with weights as training starts from them."""
    spec = NETWORKS[network]
    torch.manual_seed(0)
    generator = initialize(create_generator(spec))
    multiple = int(generator.size_multiple)  # type: ignore[arg-type]
    config = ModelConfig(generator=spec, size_multiple=multiple, statistics="running")
    return Model(config, {"AtoB": generator})


def write_jpegs(folder: Path, photos: Path | None, count: int, side: int) -> list[Path]:
    """`count` square JPEGs: from the photos, or scenes of the built-in set."""
    from translate.data.demo import write_demo
    from translate.images import find_pictures, read_rgb

    if photos is None:
        photos = folder.parent / "scenes"
        write_demo(photos, size=side, train=count, test=1)
        photos /= "trainA"
    found = find_pictures(photos)
    folder.mkdir()
    files = []
    for number in range(count):
        image = Image.fromarray(read_rgb(found[number % len(found)]))
        files.append(folder / f"{number:03}.jpg")
        image.resize((side, side), Image.Resampling.LANCZOS).save(files[-1], quality=90)
    return files


class PlainInstanceNorm(nn.Module):
    """Instance norm as torch calls it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.instance_norm(x)


def plain(network: nn.Module) -> nn.Module:
    """The same network as a person would write it: with torch's own instance norm."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm) and child.weight is None:
                setattr(parent, name, PlainInstanceNorm())
    return network


def plain_picture(network: nn.Module, path: Path) -> Image.Image:
    """One picture as a person would write it: float32, eager, batch 1, PIL."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        y = network(x)[0]
    levels = ((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


Way = Callable[[list[Path], Path], None]


def the_ways(model: Model, compiled: bool) -> dict[str, tuple[Way, Callable[[Path], Any]]]:
    """Each way: what translates a folder, and what translates one picture to pixels."""
    network = plain(model.generator())

    def loop(files: list[Path], out: Path) -> None:
        for path in files:
            plain_picture(network, path).save(out / path.name, quality=90)

    ways: dict[str, tuple[Way, Callable[[Path], Any]]] = {
        "plain loop, float32": (loop, lambda path: plain_picture(network, path))
    }
    for name, about, settings in (
        ("torch", "ours, torch eager", {}),
        *([("torch", "ours, torch compiled", {"compile": True})] if compiled else []),
        ("openvino", "ours, OpenVINO", {}),
        ("onnxruntime", "ours, ONNX Runtime", {}),
    ):
        try:
            translator = Translator(model, engine=name, device="cpu", **settings)  # type: ignore[arg-type]
        except Exception as error:  # not installed, or it does not agree: told, and left out
            click.echo(f"{about}: left out: {error}", err=True)
            continue

        def folder(files: list[Path], out: Path, translator: Translator = translator) -> None:
            failed = [o.failure for o in translator.folder(files, out, overwrite=True) if o.failure]
            assert not failed, failed

        ways[about] = (folder, translator)
    return ways


def timed(
    ways: dict[str, tuple[Way, Callable[[Path], Any]]], files: list[Path], work: Path, rounds: int
) -> list[dict[str, Any]]:
    """Seconds of each way for all files, the ways in turn; the first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (way, _) in ways.items():
            out = work / "out" / name
            out.mkdir(parents=True, exist_ok=True)
            started = time.perf_counter()
            way(files if turn else files[:8], out)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    (first, (_, exact)), *_ = ways.items()
    base = statistics.median(seconds[first])
    return [
        {
            "way": name,
            "ms_a_picture": 1000 * statistics.median(seconds[name]) / len(files),
            "ratio": base / statistics.median(seconds[name]),
            "psnr": psnr(exact, one, files[:8]),
        }
        for name, (_, one) in ways.items()
    ]


def psnr(exact: Callable[[Path], Any], one: Callable[[Path], Any], files: list[Path]) -> float:
    """Of a way's pixels against those in float32, in dB, over some pictures."""
    errors = [
        np.mean(np.square(np.asarray(exact(path), np.float64) - np.asarray(one(path), np.float64)))
        for path in files
    ]
    mean = float(np.mean(errors))
    return 10 * float(np.log10(255**2 / mean)) if mean else float("inf")


def cold_start(work: Path, picture: Path, rounds: int) -> list[dict[str, Any]]:
    """Seconds from nothing to one translated photo, in a new process each time."""
    arguments = [str(work / "model"), str(picture)]
    commands = {
        "plain loop, float32": [sys.executable, __file__, "plain", *arguments, str(work / "plain.jpg")],
        "ours, torch": [
            *(sys.executable, "-m", "translate", "apply", *arguments),
            *("-o", str(work / "cold"), "--overwrite", "--engine", "torch"),
        ],
        "ours": [
            *(sys.executable, "-m", "translate", "apply", *arguments),
            *("-o", str(work / "cold"), "--overwrite"),
        ],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    base = statistics.median(seconds["plain loop, float32"])
    return [
        {"way": name, "seconds": statistics.median(times), "ratio": base / statistics.median(times)}
        for name, times in seconds.items()
    ]


@main.command(name="plain", hidden=True)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def plain_command(model: Path, picture: Path, out: Path) -> None:
    """One picture by the plain loop, for the cold start."""
    plain_picture(plain(Model.from_pretrained(model).generator()), picture).save(out, quality=90)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    name = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(": ")[2] if lines else name
    amx = bool(torch.cpu._is_amx_tile_supported())
    return {"processor": name, "threads": torch.get_num_threads(), "amx": amx, "torch": torch.__version__}


def show(told: dict[str, Any]) -> None:
    """The figures as a table in Markdown."""
    about = told["machine"]
    click.echo(
        f"{about['processor']}, {about['threads']} threads, {'with' if about['amx'] else 'no'} AMX,"
        f" torch {about['torch']}; {told['pictures']} JPEGs of {told['side']} px\n"
    )
    click.echo("| | ms a picture | times as fast | PSNR to float32, dB |\n|---|---|---|---|")
    for row in told["rows"]:
        click.echo(f"| {row['way']} | {row['ms_a_picture']:.0f} | {row['ratio']:.2f} | {row['psnr']:.1f} |")
    if "cold" in told:
        click.echo("\n| one photo, cold start | seconds | times as fast |\n|---|---|---|")
        for row in told["cold"]:
            click.echo(f"| {row['way']} | {row['seconds']:.2f} | {row['ratio']:.2f} |")


if __name__ == "__main__":
    main()
