"""A method of another package works with every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Command

# A complete package, as it is installed. A method needs no more than this.
FILES = {
    "toy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
    "toy-1.0.dist-info/entry_points.txt": "[translate.methods]\ntoy = toy:METHOD\n",
    "toy/__init__.py": """
from translate.methods.registry import Method

METHOD = Method("paired image-to-image translation by L1", "toy.config:ToyConfig", "toy.task:TASK")
""",
    "toy/config.py": '''
from dataclasses import dataclass

from translate.config import TranslationConfig, setting


@dataclass(kw_only=True)
class ToyConfig(TranslationConfig):
    """The settings of paired translation by an L1 loss."""

    lambda_l1: float = setting(1.0, "weight of the L1 loss", low=0)
''',
    "toy/task.py": '''
import torch.nn.functional as F

from translate.methods.building import build_generator, create_adam
from translate.methods.data import paired_data
from translate.methods.models import translation_model
from translate.methods.task import BestScore, Task
from translate.methods.trainer import Trainer
from translate.methods.validation import Validation
from translate.metrics import l1


class Toy(Trainer):
    """A trainer of `g`, which translates a to b."""

    def __init__(self, c):
        super().__init__()
        self.g, self.weight = build_generator(c), c.lambda_l1
        self.optimizers = {"g": create_adam(c, "g", self.g)}
        self.generators = {c.direction: self.g}

    def step(self, batch, update, progress):
        """Update `g`."""
        loss = F.l1_loss(self.g(batch["a"]), batch["b"])
        update("g", self.weight * loss)
        return {"l1": loss}


def make_columns(generators, batch):
    (g,) = generators.values()
    return {"input": batch["a"], "translated": g(batch["a"]), "truth": batch["b"]}


def score(columns):
    return {"val_l1": l1(columns["translated"], columns["truth"])}


validate = Validation(make_columns, score)
TASK = Task(Toy, paired_data, validate, translation_model(paired=True), BestScore("val_l1"))
''',
}


@pytest.fixture
def site_packages(tmp_path: Path) -> str:
    """Install the package into a folder; return the folder."""
    for name, text in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return str(tmp_path / "site")


def test_the_package_is_short() -> None:
    assert sum(len(text.splitlines()) for text in FILES.values()) < 60


def test_a_method_of_another_package_trains_resumes_and_its_model_works_without_it(
    translate: Command, data: Path, site_packages: str, tmp_path: Path
) -> None:
    variables = {"PYTHONPATH": site_packages}
    assert "toy" in translate("train", "--help", **variables).stdout
    assert "--lambda-l1" in translate("train", "toy", "--help", **variables).stdout
    small = ["--image-size", "32", "--ngf", "4", "--blocks", "1", "--batch-size", "2", "--device", "cpu"]
    workers = ["--workers", "2", "--cache-size", "0"]
    translate("train", "toy", "--data", "data", "--steps", "2", *small, *workers, **variables)
    resumed = translate("train", "toy", "--resume", "--steps", "4", **variables)
    assert "resuming runs/toy from step 2" in resumed.stderr
    assert "next: translate apply runs/toy" in resumed.stdout
    # The model does not need the package.
    translate("apply", "runs/toy", data / "testA", "-o", "out", "--engine", "torch")
    assert len(list((tmp_path / "out").iterdir())) == len(list((data / "testA").iterdir()))
    translate("evaluate", "runs/toy", "--data", "data", "--metrics", "psnr", "--json", "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["suite"] == "paired"
    translate("export", "runs/toy", "-o", "toy.onnx")
    assert (tmp_path / "toy.onnx").stat().st_size


def test_the_error_of_a_package_that_cannot_be_imported_names_it(
    translate: Command, site_packages: str, tmp_path: Path
) -> None:
    (tmp_path / "site" / "toy" / "__init__.py").write_text("import nowhere\n")
    error = translate("train", "toy", "--data", "data", code=1, PYTHONPATH=site_packages).stderr
    assert "toy:METHOD" in error
    assert "nowhere" in error
    misspelled = translate("train", "toi", "--data", "data", code=2, PYTHONPATH=site_packages).stderr
    assert "'toi'" in misspelled
    assert "did you mean 'toy'" in misspelled
