"""`--init`: a new run starts from a model, takes its architecture, and says which half of it is new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.integration.conftest import Command
from tests.reference_generators import resnet, unet
from translate.config import GeneratorSpec, ModelConfig, Route
from translate.models import Model
from translate.networks import create_generator

# Training that changes no weight, so that a run's model shows what it started from.
STILL = [
    *("--data", "data", "--ndf", "4", "--d-layers", "2", "--workers", "0", "--device", "cpu"),
    *("--steps", "1", "--lr", "0", "--ema", "0"),
]
FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
Train = Callable[..., Model]


@pytest.fixture
def train(within: Command, tmp_path: Path) -> Train:
    """Write two domains of random images that are also pairs; return a function that trains a run on them."""
    random = np.random.default_rng(0)
    for domain in ("trainA", "trainB"):
        (tmp_path / "data" / domain).mkdir(parents=True)
        for name in "123":
            pixels = random.integers(0, 256, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / domain / f"{name}.png")

    def run(recipe: str, out: str, *flags: str, size: int = 32) -> Model:
        within("train", recipe, *STILL, "--image-size", str(size), "--out", out, *flags)
        return Model.from_pretrained(tmp_path / out)

    return run


def write_model(folder: Path, *directions: str, name: str = "resnet", **args: Any) -> Path:
    """Write a model with random weights."""
    spec = GeneratorSpec(
        name=name,
        args={"in_channels": 3, "out_channels": 3, "width": 4, "depth": 1, "norm": "instance", **args},
    )
    generators = {direction: create_generator(spec) for direction in directions}
    routes = {d: Route(source=d[0], target=d[-1], generator=d) for d in directions}
    config = ModelConfig(
        generator=spec,
        routes=routes,
        in_channels=spec.args["in_channels"],
        out_channels=spec.args["out_channels"],
        size_multiple=generators[directions[0]].size_multiple,
    )
    Model(config, generators).save_pretrained(folder)
    return folder


def same(a: Model, direction: str, b: Model, other: str | None = None) -> bool:
    """Return whether the weights of two generators are equal."""
    theirs = dict(b.generator(other or direction).named_parameters())
    ours = a.generator(direction).named_parameters()
    return all(torch.equal(weight, theirs[name]) for name, weight in ours)


# The recipe, the model's generator and arguments, and the image size.
ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "other blocks than the default at this size": ("cyclegan", "resnet", {"depth": 2}, 32),
    "another U-Net than the default at this size": (
        "pix2pix",
        "unet",
        {"depth": 3, "norm": "batch", "dropout": True, "upsample": "resize"},
        40,
    ),
    "a ResNet for pix2pix, affine and antialiased": (
        "pix2pix",
        "resnet",
        {"norm": "instance-affine", "downsample": "blur", "upsample": "blur", "dropout": True},
        32,
    ),
}


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_the_architecture_is_taken_from_the_model(case: str, train: Train, tmp_path: Path) -> None:
    recipe, name, args, size = ARCHITECTURES[case]
    directions = ("AtoB", "BtoA") if recipe == "cyclegan" else ("AtoB",)
    before = Model.from_pretrained(write_model(tmp_path / "before", *directions, name=name, **args))
    after = train(recipe, "run", "--init", "before", size=size)
    for argument, value in before.config.generator.args.items():
        assert after.config.generator.args[argument] == value
    assert all(same(after, direction, before) for direction in directions)


def test_the_log_says_what_was_taken_and_a_run_resumes_without_the_model(
    train: Train, within: Command, tmp_path: Path
) -> None:
    write_model(tmp_path / "before", "AtoB", "BtoA", depth=2)
    train("cyclegan", "run", "--init", "before", size=32)
    (line,) = (line for line in (tmp_path / "run/log.txt").read_text().splitlines() if "taken" in line)
    for words in ("from the model before:", "blocks 2", "ngf 4", "norm instance", "upsample deconv"):
        assert words in line
    (tmp_path / "before").rename(tmp_path / "elsewhere")
    within("train", "cyclegan", "--out", "run", "--resume", "--steps", "2")
    assert Model.from_pretrained(tmp_path / "run").config.generator.args["depth"] == 2


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--blocks", "6"),
        ("--ngf", "8"),
        ("--norm", "batch"),
        ("--upsample", "resize"),
        ("--downsample", "blur"),
        ("--generator", "unet"),
        ("--in-channels", "1"),
    ],
)
def test_a_setting_that_contradicts_the_model_is_refused_by_name(
    flag: str, value: str, within: Command, tmp_path: Path
) -> None:
    write_model(tmp_path / "model", "AtoB")
    (tmp_path / "data").mkdir()
    error = within("train", "pix2pix", "--data", "data", "--init", "model", flag, value, code=2).stderr
    assert f"{flag[2:].replace('-', '_')} is {value}, but" in error
    assert f"leave {flag} out" in error
    assert not (tmp_path / "runs").exists()


def test_a_setting_that_repeats_the_model_and_another_dropout_are_accepted(
    train: Train, tmp_path: Path
) -> None:
    write_model(tmp_path / "model", "AtoB")
    after = train("pix2pix", "run", "--init", "model", "--ngf", "4", "--dropout")
    assert after.config.generator.args["dropout"] is True


def test_a_one_way_model_is_one_half_of_a_cyclegan(train: Train, tmp_path: Path) -> None:
    own, other = "BtoA", "AtoB"
    half = Model.from_pretrained(write_model(tmp_path / "half", own))
    fresh = train("cyclegan", "fresh", "--init", "half")
    assert same(fresh, own, half)
    assert not same(fresh, other, half, own)
    log = (tmp_path / "fresh" / "log.txt").read_text()
    assert f"{own} starts from half, {other} starts from random weights: --init-back MODEL" in log

    # The other half may have been imported under the name of the first.
    back = Model.from_pretrained(write_model(tmp_path / "back", own))
    both = train("cyclegan", "both", "--init", "half", "--init-back", "back")
    assert same(both, own, half)
    assert same(both, other, back, own)
    assert f"{other} starts from the {own} of back" in (tmp_path / "both" / "log.txt").read_text()


def test_each_half_starts_from_the_route_of_its_name(train: Train, tmp_path: Path) -> None:
    model = Model.from_pretrained(write_model(tmp_path / "swapped", "BtoA", "AtoB"))
    after = train("cyclegan", "run", "--init", "swapped")
    assert list(after.config.routes) == ["AtoB", "BtoA"]
    assert same(after, "AtoB", model)
    assert same(after, "BtoA", model)
    assert same(train("pix2pix", "paired", "--init", "swapped"), "AtoB", model)


def test_models_that_do_not_fit_the_run_are_refused(train: Train, within: Command, tmp_path: Path) -> None:
    for name, args in {"both": {}, "half": {}, "wide": {"width": 8}}.items():
        directions = ("AtoB", "BtoA") if name == "both" else ("AtoB",)
        write_model(tmp_path / name, *directions, **args)
    shutil.copytree(FIXTURES / "dcgan", tmp_path / "noise")
    for flags, words in (
        (["--init", "both", "--init-back", "half"], "leave --init-back out"),
        (["--init", "half", "--init-back", "wide"], "--init-back wide has ngf 8, and --init half 4"),
        (["--init-back", "half"], "there is no --init"),
        (["--init", "colorize"], "generator colorizer, which this recipe does not train"),
        (["--init", "noise"], "generator dcgan, which this recipe does not train"),
    ):
        error = within("train", "cyclegan", *STILL, "--image-size", "32", *flags, code=2).stderr
        assert words in error
    write_model(tmp_path / "u-net", "AtoB", name="unet", depth=3)
    error = within("train", "cut", *STILL, "--image-size", "32", "--init", "u-net", code=2).stderr
    assert "--init u-net has the generator unet" in error
    assert "give a model whose generator is resnet" in error
    flags = ["--init", "half", "--direction", "BtoA"]
    error = within("train", "pix2pix", *STILL, "--image-size", "32", *flags, code=2).stderr
    assert "half has the direction AtoB only" in error
    assert not (tmp_path / "runs" / "cyclegan" / "model").exists()


@pytest.mark.parametrize("recipe", ["cyclegan", "pix2pix"])
def test_an_imported_generator_is_fine_tuned(
    recipe: str, train: Train, within: Command, tmp_path: Path
) -> None:
    """A U-Net's checkpoint does not tell its dropout, so that of the recipe stays."""
    reference = unet("batch") if recipe == "pix2pix" else resnet("instance-affine", antialias=True)
    torch.save(reference.state_dict(), tmp_path / "latest_net_G_A.pth")
    within("import", "latest_net_G_A.pth", "-o", "imported")
    after = train(recipe, "run", "--init", "imported")
    assert same(after, "AtoB", Model.from_pretrained(tmp_path / "imported"))
    assert after.config.generator.args["dropout"] is (recipe == "pix2pix")
