"""Measure whether the score without truth, `val_kernel`, ranks checkpoints as the truth does.

python tools/rank_checkpoints.py runs/rank --steps 1500
python tools/rank_checkpoints.py runs/rank --steps 1500 --runs plain,late-high-lr

It trains six runs without pairs on the built-in horses and zebras, two of them made to degrade, and keeps
all their checkpoints. For each checkpoint it reads the score that the run logged, and compares the
translations of the held-out scenes with the true images of the same scenes: by the distance of MobileNetV2's
features, which are not those of the score, and by the L1 distance of the pixels. Both are means over the two
directions.

Given again, it continues the run that was interrupted, and does not repeat what is finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
import torch
from scipy.stats import spearmanr  # type: ignore[import-untyped]

import translate
from translate.config import TranslationConfig
from translate.data.demo import write_demo
from translate.images import Pixels
from translate.methods.data import unpaired_data
from translate.methods.references import read_images, spread
from translate.methods.task import TaskData
from translate.methods.unpaired import KERNEL, translate_validation
from translate.metrics import MobileNetFeatures
from translate.models import Precision
from translate.training.runs.checkpoint_models import load_checkpoint_models
from translate.training.runs.folder import Run

TRAIN, TEST = 200, 50  # Scenes; the run of few images has FEW of the former.
FEW = 20
SIZE = 64  # pixels
CHECKPOINTS = 12  # of each run; there is one more wherever a run was interrupted or the learning rate rises.
SETTINGS: dict[str, Any] = {
    "image_size": SIZE,
    "load_size": 68,
    "batch_size": 4,
    "workers": 0,
    "blocks": 4,
    "ngf": 16,
    "ndf": 32,
    "keep_checkpoints": 1000,
}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {  # By name: the recipe and its own settings.
    "plain": ("cyclegan", {"lambda_identity": 0, "seed": 0}),
    "identity": ("cyclegan", {"seed": 1}),
    "weak-cycle": ("cyclegan", {"lambda_identity": 0, "lambda_a": 2, "lambda_b": 2, "seed": 2}),
    "dclgan": ("dclgan", {"seed": 3}),
    "late-high-lr": ("cyclegan", {"lambda_identity": 0, "lr_schedule": "constant", "seed": 4}),
    "few-images": ("cyclegan", {"lambda_identity": 0, "lr": 0.002, "seed": 5}),
}
HIGH_LR = 0.01  # Of the second half of `late-high-lr`, which undoes what the first half has learned.


@dataclass(frozen=True)
class Checkpoint:
    """The score of a checkpoint, and its true distances; for all of them, lower is better.

    Attributes:
        kernel: the score without truth that the run logged.
        features: mean distance of MobileNetV2's features to those of the true images.
        l1: mean absolute difference to the pixels of the true images, in levels.
    """

    run: str
    step: int
    kernel: float
    features: float
    l1: float


def train(folder: Path, name: str, data: Path, steps: int, device: str) -> None:
    """Train a run, or continue it; for the second half of `late-high-lr`, at a high learning rate."""
    recipe, own = RUNS[name]
    settings = {**SETTINGS, **own, "data": str(data), "out": str(folder), "device": device}
    settings["checkpoint_every"] = max(1, steps // CHECKPOINTS)
    parts: list[dict[str, Any]] = [{"steps": steps}]
    if name == "late-high-lr":
        parts = [{"steps": steps // 2}, {"steps": steps, "lr": HIGH_LR}]
    for part in parts:
        if max(Run(folder).checkpoints(), default=0) < part["steps"]:
            translate.train(recipe, resume=True, **settings, **part)


def measure(name: str, folder: Path, data: TaskData) -> Iterator[Checkpoint]:
    """Yield the checkpoints of a run with their scores and true distances, by step."""
    records = [json.loads(line) for line in Run(folder).metrics.read_text(encoding="utf-8").splitlines()]
    scores = {record["step"]: record[KERNEL] for record in records if KERNEL in record}
    network = MobileNetFeatures()
    truths = {
        domain: list(read_images(images.validation, spread(images.validation, TEST)))
        for domain, images in data.domains.items()
    }
    features = {domain: network(images) for domain, images in truths.items()}
    precision = Precision(torch.device("cpu"), torch.float32)
    for step, model in load_checkpoint_models(folder).items():
        translations = translate_validation(model, data, precision)
        yield Checkpoint(
            name,
            step,
            scores[step],
            mean(distance(network(each.outputs), features[each.target]) for each in translations),
            mean(l1(each.outputs, truths[each.target]) for each in translations),
        )


def distance(features: np.ndarray, others: np.ndarray) -> float:
    """Return the mean Euclidean distance between the rows of (N, D) features."""
    return float(np.linalg.norm(features - others, axis=1).mean())


def l1(images: Sequence[Pixels], others: Sequence[Pixels]) -> float:
    """Return the mean absolute difference of the pixels of images, in levels."""
    return float(mean(np.abs(a.astype(int) - b).mean() for a, b in zip(images, others, strict=True)))


def write_data(folder: Path, train: int) -> Path:
    """Write a dataset, if it is not there; return its folder."""
    if not (folder / "testB" / f"{train + TEST - 1:04d}.png").exists():  # The last one to be written.
        write_demo(folder, train=train, test=TEST)
    return folder


def correlation(checkpoints: Sequence[Checkpoint], truth: str) -> float:
    """Return Spearman's rank correlation of the score and a true distance."""
    values = [[getattr(checkpoint, name) for checkpoint in checkpoints] for name in ("kernel", truth)]
    return float(spearmanr(*values).statistic)


def loss_of_choice(checkpoints: Sequence[Checkpoint], truth: str) -> float:
    """Return by which fraction the chosen checkpoint is farther from the truth than the best one."""
    chosen = min(checkpoints, key=lambda checkpoint: checkpoint.kernel)
    return float(getattr(chosen, truth) / min(getattr(each, truth) for each in checkpoints) - 1)


def print_table(checkpoints: Sequence[Checkpoint]) -> None:
    """Print all checkpoints, and how well the score ranks and chooses them in each run and over all runs."""
    click.echo(f"{'run':14}{'step':>7}{'val_kernel':>12}{'features':>10}{'L1':>8}")
    for each in checkpoints:
        click.echo(f"{each.run:14}{each.step:7}{each.kernel:12.4f}{each.features:10.3f}{each.l1:8.2f}")
    click.echo(f"\n{'':14}{'rank correlation':>24}{'chosen against best':>24}")
    click.echo(f"{'run':14}{'features':>14}{'L1':>10}{'features':>14}{'L1':>10}")
    names = list(dict.fromkeys(each.run for each in checkpoints))
    groups = {name: [each for each in checkpoints if each.run == name] for name in names}
    for name, group in {**groups, "all": list(checkpoints)}.items():
        ranks = [correlation(group, truth) for truth in ("features", "l1")]
        losses = [loss_of_choice(group, truth) for truth in ("features", "l1")]
        click.echo(f"{name:14}{ranks[0]:14.2f}{ranks[1]:10.2f}{losses[0]:+14.1%}{losses[1]:+10.1%}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--runs", default=",".join(RUNS), show_default=True)
@click.option("--steps", type=int, default=1500, show_default=True, help="length of each run")
@click.option("--device", default="auto", show_default=True)
def main(folder: Path, runs: str, steps: int, device: str) -> None:
    """Train runs on the built-in dataset in FOLDER, and compare the scores of checkpoints with the truth."""
    names = runs.split(",")
    if unknown := set(names) - set(RUNS):
        raise click.UsageError(f"runs {', '.join(sorted(unknown))}: must be of {', '.join(RUNS)}")
    checkpoints: list[Checkpoint] = []
    for name in names:
        count = FEW if name == "few-images" else TRAIN
        data = write_data(folder / f"data{count}", count)
        train(folder / name, name, data, steps, device)
        found = unpaired_data(TranslationConfig(data=str(data), image_size=SIZE, cache_size=0))
        checkpoints += measure(name, folder / name, found)
    print_table(checkpoints)


if __name__ == "__main__":
    main()
