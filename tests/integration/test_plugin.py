"""A package outside of this one brings a method, and everything works with it through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Command

# A whole package, installed in place: what is here is all that a method needs.
FILES = {
    "toy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
    "toy-1.0.dist-info/entry_points.txt": "[translate.methods]\ntoy = toy:METHOD\n",
    "toy/__init__.py": """
from translate.methods.registry import Method

METHOD = Method("paired translation by L1 alone", "toy.config:ToyConfig", "toy.task:TASK")
""",
    "toy/config.py": '''
from dataclasses import dataclass

from translate.config import TranslationConfig, setting


@dataclass(kw_only=True)
class ToyConfig(TranslationConfig):
    """Paired translation by L1 alone."""

    lambda_l1: float = setting(1.0, "weight of the L1 loss", low=0)
''',
    "toy/task.py": '''
import torch.nn.functional as F

from translate.methods.building import create_adam, new_generator
from translate.methods.data import paired_data
from translate.methods.models import translation_model
from translate.methods.task import BestScore, Task
from translate.methods.trainer import Trainer
from translate.methods.validation import Validation
from translate.metrics import l1


class Toy(Trainer):
    """`g` turns a into b."""

    def __init__(self, c):
        super().__init__()
        self.g, self.weight = new_generator(c), c.lambda_l1
        self.optimizers = {"g": create_adam(c, "g", self.g)}
        self.generators = {c.direction: self.g}

    def step(self, batch, update, progress):
        """Update `g`."""
        loss = F.l1_loss(self.g(batch["a"]), batch["b"])
        update("g", self.weight * loss)
        return {"l1": loss}


def show(generators, batch):
    (g,) = generators.values()
    return {"input": batch["a"], "translated": g(batch["a"]), "truth": batch["b"]}


def score(shown):
    return {"val_l1": l1(shown["translated"], shown["truth"])}


TASK = Task(Toy, paired_data, Validation(show, score), translation_model(paired=True), BestScore("val_l1"))
''',
}


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The folder that the package is installed in."""
    for name, text in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return str(tmp_path / "site")


def test_the_package_is_short() -> None:
    assert sum(len(text.splitlines()) for text in FILES.values()) < 60


def test_a_method_of_another_package(translate: Command, data: Path, place: str, tmp_path: Path) -> None:
    around = {"PYTHONPATH": place}
    assert "toy" in translate("train", "--help", **around).stdout
    assert "--lambda-l1" in translate("train", "toy", "--help", **around).stdout
    small = ["--image-size", "32", "--ngf", "4", "--blocks", "1", "--batch-size", "2", "--device", "cpu"]
    workers = ["--workers", "2", "--cache-size", "0"]
    translate("train", "toy", "--data", "data", "--steps", "2", *small, *workers, **around)
    resumed = translate("train", "toy", "--resume", "--steps", "4", **around)
    assert "resuming runs/toy from step 2" in resumed.stderr
    assert "next: translate apply runs/toy" in resumed.stdout
    # What was trained needs the package no more.
    translate("apply", "runs/toy", data / "testA", "-o", "out", "--engine", "torch")
    assert len(list((tmp_path / "out").iterdir())) == len(list((data / "testA").iterdir()))
    translate("evaluate", "runs/toy", "--data", "data", "--metrics", "psnr", "--json", "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["suite"] == "paired"
    translate("export", "runs/toy", "-o", "toy.onnx")
    assert (tmp_path / "toy.onnx").stat().st_size


def test_a_package_that_cannot_be_imported_is_named(translate: Command, place: str, tmp_path: Path) -> None:
    (tmp_path / "site" / "toy" / "__init__.py").write_text("import nowhere\n")
    error = translate("train", "toy", "--data", "data", code=1, PYTHONPATH=place).stderr
    assert "toy:METHOD" in error
    assert "nowhere" in error
    assert (
        "no recipe 'toi'; did you mean 'toy'"
        in translate("train", "toi", "--data", "data", code=2, PYTHONPATH=place).stderr
    )
