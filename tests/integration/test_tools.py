"""The tools that people run: what they measure and what they draw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.images import demo
from tests.integration.conftest import environment
from translate.images import read_rgb
from translate.training.step.stepper import Stepper

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def score_demo(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import score_demo

    return score_demo


def test_the_measure_of_stripes_fails_horses_and_passes_zebras(score_demo, tmp_path: Path) -> None:
    data = demo(tmp_path, train=0, test=20, size=64)
    for path in sorted((data / "testA").iterdir()):
        horse, zebra = read_rgb(path), read_rgb(data / "testB" / path.name)
        assert not score_demo.score(horse, horse, zebra).striped
        assert not score_demo.score(np.full_like(horse, 128), horse, zebra).striped
        assert score_demo.score(255 - zebra, horse, zebra).right_side == 0
        perfect = score_demo.score(zebra, horse, zebra)
        assert perfect.striped
        assert (perfect.right_side, perfect.psnr) == (1, np.inf)


def test_scores_a_model_on_held_out_scenes(score_demo, model: Path) -> None:
    result = subprocess.run(
        [sys.executable, TOOLS / "score_demo.py", model, "--data", model.parent / "data"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "scenes",
        "PSNR, mean",
        "body on the right side of mid-gray",
        "striped horses",
    ]


def test_lays_folders_side_by_side(tmp_path: Path) -> None:
    data = demo(tmp_path / "data")
    columns = [f"horse={data / 'trainA'}", f"zebra={data / 'trainB'}"]
    out = tmp_path / "sheet.png"
    tool = [sys.executable, TOOLS / "contact_sheet.py"]
    subprocess.run([*tool, *columns, "-o", out, "--rows", "4", "--side", "32"], check=True)
    assert read_rgb(out).shape == (18 + 4 * 36, 4 + 2 * 36, 3)
    wrong = subprocess.run([*tool, "horse=nowhere", "-o", out], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "'horse=nowhere' is not NAME=FOLDER" in wrong.stderr


@pytest.mark.parametrize("recipe", ["cyclegan", "pix2pix", "dcgan"])
def test_the_plain_recipe_takes_the_same_step(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from timing import plain, training

    case = training.Case(recipe, 64, 2)
    own = {} if recipe == "dcgan" else {"dropout": False}
    c = case.config(ngf=4, ndf=4, precision="fp32", device="cpu", **own)
    stepper = Stepper(case.trainer(c).double(), c)
    copied: dict[str, torch.nn.Module] = {}

    def remembered(trainer: torch.nn.Module, name: str) -> torch.nn.Module:
        copied[name] = plain.plain(getattr(trainer, name))
        return copied[name]

    monkeypatch.setattr(plain, "trainable", remembered)
    step = plain.STEPS[recipe](stepper.trainer, c)
    batch = {name: images.double() / 127.5 - 1 for name, images in case.batch().items()}
    before = [weight.detach().clone() for weight in stepper.trainer.parameters()]
    torch.set_default_dtype(torch.float64)  # of the noise
    try:
        for number in range(2):
            torch.manual_seed(number)
            step(batch)
            torch.manual_seed(number)
            stepper.step(batch, step=number)
    finally:
        torch.set_default_dtype(torch.float32)
    assert copied
    for name, network in copied.items():
        ours = getattr(stepper.trainer, name).parameters()
        for weight, other in zip(network.parameters(), ours, strict=True):
            assert (weight - other).abs().max() < 1e-9, name
    moved = [(w - b).abs().max() for w, b in zip(stepper.trainer.parameters(), before, strict=True)]
    assert max(moved) > 1e-4


def test_the_benchmark_counts_the_work_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training step of pix2pix at 256 px is 44 GMAC for the generator and the discriminator, by hand."""
    monkeypatch.syspath_prepend(str(TOOLS))
    from timing import training

    assert training.operations(training.CASES["pix2pix-256"]) / 2e9 == pytest.approx(44, rel=0.03)
    assert training.operations(training.CASES["cyclegan-256"]) / 2e9 == pytest.approx(942, rel=0.03)


def test_times_a_step_beside_the_plain_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from timing import training
    from timing.measure import CPU

    case = training.Case("dcgan", 64, 2)
    plain, ours = training.rows(case, ["no flag given"], 1, rate=1e12, device=CPU, folder=None)
    assert (plain["way"], ours["way"]) == ("plain", "ours, no flag given")
    assert ours["ratio"] == pytest.approx(plain["ms"] / ours["ms"])
    for row in (plain, ours):
        assert row["share"] == pytest.approx(training.operations(case) / (row["ms"] / 1000) / 1e12)
        assert 0.1 < row["peak_gb"] < 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--device", "tpu"], "device 'tpu' is not on this machine: use --device auto or cpu"),
        (["--reference", "nowhere"], "Directory 'nowhere' does not exist"),
    ],
)
def test_the_benchmark_refuses_what_is_not_there(given: list[str], message: str) -> None:
    tool = [sys.executable, TOOLS / "benchmark.py", "train", *given]
    refused = subprocess.run(tool, env=environment(), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert message in refused.stderr


def test_times_the_loaders_side_by_side(tmp_path: Path) -> None:
    short = [
        "--count",
        "16",
        "--batches",
        "2",
        "--rounds",
        "1",
        "--side",
        "64",
        "--json",
        tmp_path / "t.json",
    ]
    done = subprocess.run(
        [sys.executable, TOOLS / "benchmark.py", "data", *short, "--json", tmp_path / "t.json"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads((tmp_path / "t.json").read_text())
    assert [row["way"] for row in told["rows"]] == ["plain loader", "ours, --cache-size 0", "ours"]
    assert all(f"| {row['way']} | {row['images_a_second']:.0f} |" in done.stdout for row in told["rows"])
