r"""Train several recipes for the same time, and compare their cost and their translations in one table.

translate data demo datasets/demo
python tools/compare_methods.py runs/compare configs/demo{,-cut,-fastcut,-dclgan,-pix2pix}.yaml \
    --data datasets/demo --minutes 20 --seeds 0,1,2
python tools/compare_methods.py runs/compare --score-only

Each run is a process of its own, one after the other. Given again, the command continues the run that was
interrupted, and skips what is finished. `--score-only` prints the table of the finished runs. Where recipes
need lengths of their own, give the command once for each, with `--steps`: the table has all runs of the
folder.

In the table, `peak MB` is the peak memory of the whole process, with torch itself, the images and the
validations. `step MiB` is what `--dry-run` estimates for the tensors of a training step alone: weights,
gradients, optimizer states, the moving average and activations; a dash means that it cannot.

The data has testA/ and testB/. The translations of testA are compared with testB: one by one, if the images
have the same names, by PSNR and by the distance of MobileNetV2's features; and as sets, by the Frechet
distance of these features, as `translate evaluate` does. A method has collapsed if its translations differ
from each other less than half as much as the images of testB do. A run whose discriminator was trained with
MobileNetV2 is not scored.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
import torch
import torch.nn.functional as F

import translate
from translate.config import collect_settings, load_yaml
from translate.images import find_images, read_rgb
from translate.images.frame import Pixels
from translate.methods.registry import find_method
from translate.metrics import Features, MobileNetFeatures, frechet_distance, psnr
from translate.models import Model
from translate.models.feature_networks import has_trained_with
from translate.storage import atomic_write
from translate.training.session import Session

RESULT = "compared.json"  # In the folder of a finished run.
COLLAPSED = 0.5  # Of the diversity of testB; translations that differ less have collapsed.
UNTRANSLATED = "untranslated"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # Bytes in a unit of `ru_maxrss`.
# A program that runs a command, and prints its peak memory. A process begins with the peak of the one that
# starts it, so this small one does.
MEASURE = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, lambda *_: None)  # The command gets it, too, and saves the run.
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=sys.stderr).pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@dataclass(frozen=True)
class Scores:
    """The scores of a set of images.

    Attributes:
        psnr: mean PSNR against the images of the same names, in dB; None if there are none.
        features: mean Euclidean distance to the features of the images of the same names; None likewise.
        frechet: the Frechet distance to the true images.
        diversity: the mean distance between the features of two images, as a share of the true images'.
    """

    psnr: float | None
    features: float | None
    frechet: float
    diversity: float

    @property
    def collapsed(self) -> bool:
        """Return whether all images are nearly the same."""
        return self.diversity < COLLAPSED


@dataclass(frozen=True)
class Cost:
    """What a run cost.

    Attributes:
        images: images of each domain that it has seen.
        peak: peak memory of the process that finished it, in bytes.
        tensors: memory of a step's tensors, estimated as by `--dry-run`, in MiB; None if it cannot be.
    """

    steps: int
    minutes: float
    images: int
    peak: int
    tensors: int | None


class Judge:
    """A function that scores the translations of testA by testB."""

    def __init__(self, data: Path) -> None:
        self.inputs = find_images(data / "testA")
        truth = find_images(data / "testB")
        if min(len(self.inputs), len(truth)) < 2:
            raise click.UsageError(f"{data} needs 2 images or more in each of testA/ and testB/")
        self.truth = {path.name: read_rgb(path) for path in truth}
        self.extract = MobileNetFeatures()
        self.features = dict(zip(self.truth, self.extract(self.truth.values()), strict=True))

    def __call__(self, images: Iterable[Pixels]) -> Scores:
        """Score images in the order of `inputs`."""
        images = list(images)
        features, truth = self.extract(images), np.stack(list(self.features.values()))
        names = [path.name for path in self.inputs]
        known = [(i, name) for i, name in enumerate(names) if name in self.truth]
        pairs = [(images[i], self.truth[name]) for i, name in known]
        psnrs = [psnr(*pair, data_range=255) for pair in pairs if pair[0].shape == pair[1].shape]
        distances = [float(np.linalg.norm(features[i] - self.features[name])) for i, name in known]
        return Scores(
            psnr=mean(psnrs) if psnrs else None,
            features=mean(distances) if distances else None,
            frechet=frechet_distance(features, truth),
            diversity=diversity(features) / diversity(truth),
        )


def diversity(features: Features) -> float:
    """Return the mean distance between two rows of (N, D) features, scaled to length 1."""
    return float(torch.pdist(F.normalize(torch.from_numpy(features), dim=1)).mean())


def train(config: Path, run: Path, settings: Mapping[str, Any]) -> int:
    """Train a run in a process of its own, or continue it; return the peak memory of the process, in bytes.

    Raises:
        SystemExit: training failed, or was interrupted.
    """
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "translate", "train", str(config), f"--out={run}", "--resume", *flags]
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", MEASURE, *command], stdout=subprocess.PIPE, text=True
    )
    try:
        peak, _ = process.communicate()
    except KeyboardInterrupt:  # The process got the signal, too, and saves the run.
        process.wait()
        raise
    if code := process.returncode:
        raise SystemExit(f"{run} ended with exit code {code}: give the command again to continue it")
    return int(peak) * RSS_UNIT


def estimate_tensors(config: Path, run: Path, settings: Mapping[str, Any]) -> int | None:
    """Return the memory of a training step that `--dry-run` estimates, in MiB; None if it cannot."""
    recipe = load_yaml(config)["recipe"]
    flags = {**settings, "out": str(run.with_name(f"{run.name}-dry-run"))}
    resolved = collect_settings(find_method(recipe).config_class(), flags, files=(config,))
    found = re.search(r"memory: about (\d+) MiB", Session(recipe, resolved).describe())
    return int(found[1]) if found else None


def measure(config: Path, run: Path, settings: Mapping[str, Any]) -> None:
    """Train a run and store its cost, unless it is finished.

    Raises:
        click.UsageError: the run was trained with other settings.
    """
    stored = {"config": config.read_text(encoding="utf-8"), **settings}
    if (run / RESULT).exists():
        if read_result(run)[0] != stored:
            raise click.UsageError(f"{run} was trained with other settings: give another FOLDER")
        return
    click.echo(f"{run}", err=True)
    tensors = estimate_tensors(config, run, settings)
    peak = train(config, run, settings)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    trained_on = translate.load(run / "model", device="cpu", engine="torch").config.trained_on
    steps = trained_on["steps"]
    cost = Cost(steps, records[-1]["seconds"] / 60, steps * trained_on["batch_size"], peak, tensors)
    content = {"settings": stored, "cost": asdict(cost)}
    atomic_write(run / RESULT, json.dumps(content, indent=1).encode())


def read_result(run: Path) -> tuple[dict[str, Any], Cost]:
    """Return the settings and the cost of a finished run."""
    content = json.loads((run / RESULT).read_text(encoding="utf-8"))
    return content["settings"], Cost(**content["cost"])


def print_table(folder: Path, device: str) -> None:
    """Score the newest model of each finished run in a folder, and print all of them, and each recipe's mean.

    The best model so far would have been chosen by the images that it is scored on.
    """
    runs = sorted(path.parent for path in folder.glob(f"*-seed*/{RESULT}"))
    if not runs:
        raise click.UsageError(f"{folder} has no finished runs: leave out --score-only to train them")
    judges: dict[str, Judge] = {}
    rows: dict[str, list[tuple[Scores, Cost]]] = {}
    click.echo(
        f"{'recipe':24}{'seed':>5}{'minutes':>9}{'steps':>8}{'images/s':>10}{'peak MB':>9}{'step MiB':>10}"
        f"{'PSNR':>8}{'features':>10}{'Frechet':>9}{'diversity':>11}"
    )
    for run in runs:
        settings, cost = read_result(run)
        name, _, seed = run.name.rpartition("-seed")
        if settings["data"] not in judges:
            judge = judges[settings["data"]] = Judge(Path(settings["data"]))
            click.echo(f"{UNTRANSLATED:65}{'':10}{describe([judge(map(read_rgb, judge.inputs))])}")
        judge = judges[settings["data"]]
        if has_trained_with(Model.from_pretrained(run), judge.extract.name):
            remark = f"not scored: its discriminator was trained with {judge.extract.name}"
            click.echo(f"{name:24}{seed:>5}{describe_cost([cost])}  {remark}")
            continue
        translator = translate.load(run / "model", engine="torch", device=device)
        scores = judge(translator(read_rgb(path)) for path in judge.inputs)
        rows.setdefault(name, []).append((scores, cost))
        click.echo(f"{name:24}{seed:>5}{describe_cost([cost])}{describe([scores])}")
    for name, results in rows.items():
        scores_of_all, costs = zip(*results, strict=True)
        label = f"{name}, mean of {len(results)}"
        click.echo(f"{label:29}{describe_cost(costs)}{describe(scores_of_all)}")


def describe_cost(costs: Sequence[Cost]) -> str:
    """Return the columns of what runs cost, as means."""
    known = [cost.tensors for cost in costs if cost.tensors is not None]
    tensors = f"{mean(known):.0f}" if known else "-"
    rate = mean(cost.images / (60 * cost.minutes) for cost in costs)
    return (
        f"{mean(cost.minutes for cost in costs):9.1f}{mean(cost.steps for cost in costs):8.0f}{rate:10.1f}"
        f"{mean(cost.peak for cost in costs) / 1e6:9.0f}{tensors:>10}"
    )


def describe(scores: Sequence[Scores]) -> str:
    """Return the columns of scores, as means, and how many of the runs have collapsed."""
    psnrs = [each.psnr for each in scores if each.psnr is not None]
    features = [each.features for each in scores if each.features is not None]
    count = sum(each.collapsed for each in scores)
    collapsed = f"  collapsed: {count} of {len(scores)}" if count else ""
    return (
        f"{f'{mean(psnrs):.2f}' if psnrs else '-':>8}{f'{mean(features):.2f}' if features else '-':>10}"
        f"{mean(each.frechet for each in scores):9.2f}{mean(each.diversity for each in scores):11.2f}"
        f"{collapsed}"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("configs", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="with testA/ and testB/")
@click.option("--seeds", default="0,1,2", show_default=True)
@click.option("--minutes", type=float, help="length of each run [default: 20]")
@click.option("--steps", type=int, help="length of each run in steps, instead of --minutes")
@click.option("--device", default="auto", show_default=True)
@click.option("--score-only", is_flag=True, help="print the table of the runs that are finished")
def main(
    folder: Path,
    configs: tuple[Path, ...],
    data: Path | None,
    seeds: str,
    minutes: float | None,
    steps: int | None,
    device: str,
    score_only: bool,
) -> None:
    """Train CONFIGS, YAML files, with each of the seeds in FOLDER, and compare them."""
    if not score_only:
        if not configs or data is None:
            raise click.UsageError("give one YAML file or more, and --data; or --score-only")
        length = {"steps": steps} if steps else {"minutes": minutes or 20.0}
        for seed in map(int, seeds.split(",")):
            for config in configs:
                settings = {"data": str(data), "seed": seed, "device": device, **length}
                measure(config, folder / f"{config.stem}-seed{seed}", settings)
    print_table(folder, device)


if __name__ == "__main__":
    main()
