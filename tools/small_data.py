"""Measure what helps a discriminator to learn from 50 + 50 scenes of the built-in horses and zebras.

python tools/small_data.py runs/small-data --seeds 0,1,2 --minutes 10
python tools/small_data.py runs/small-data --seeds 0,1,2 --minutes 10 --variants plain,half,diffaugment
python tools/small_data.py runs/small-data --recipe pix2pix --seeds 0 --steps 2000

It trains each variant with each seed by `translate.train`, and prints a table of all runs in the folder.
Given again, it continues the run that was interrupted, and does not repeat what is finished. Several commands
may share a folder, each with its own seeds and one core: OMP_NUM_THREADS=1.

The translations of held-out horses are compared with the zebras of other held-out scenes, by the kernel
distance and the Frechet distance of EfficientNet-Lite0 features, and with the true zebras of their own
scenes, by PSNR. The discriminator overfits if it scores the images that it was trained on higher than
held-out ones; its overfitting is r_v of arXiv:2006.06676 (eq. 1): 0 if it scores both alike, 1 if it scores
held-out images like generated ones. Its scores are means over images without augmentation.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import torch
from torch import Tensor, nn

import translate
from translate.config import TranslationConfig, from_mapping, load_yaml
from translate.data.datasets.crops import SampleKey
from translate.data.datasets.samples import SampleDataset
from translate.data.demo import write_demo
from translate.images import find_images, read_rgb, to_tensor
from translate.methods.adversary import Adversary
from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.metrics import frechet_distance, kernel_distance, psnr
from translate.models.feature_networks import load_efficientnet_features
from translate.storage import atomic_write
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run

TRAIN, TEST = 50, 200  # Scenes. Half of the test scenes are translated; the others are compared with.
SCORES = "small_data.json"  # In the folder of a finished run.
SETTINGS: dict[str, Any] = {  # Those of configs/demo.yaml, but for the width of the discriminator.
    "image_size": 64,
    "load_size": 68,
    "batch_size": 4,
    "blocks": 4,
    "ngf": 16,
    "lambda_identity": 0.0,
    "workers": 0,
}
BATCH_NORM = ("cut", "fastcut", "dclgan")  # The recipes that have a batch norm in configs/demo-*.yaml.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "small_data": {"small_data": True},
    "half": {"ndf": 32},
    "diffaugment": {"diffaugment": True},
    "small_data-diffaugment": {"small_data": True, "diffaugment": True},
    "ada": {"ada": True},
    "r1": {"lambda_r1": 1.0, "norm": "instance"},  # R1 is refused with a batch norm.
}


@dataclass(frozen=True)
class Scores:
    """The scores of a run.

    Attributes:
        kernel, frechet: distances of the translations to held-out zebras.
        psnr: mean PSNR of the translations against the true zebras, in dB.
        train, held_out, generated: mean scores of the discriminator of zebras.
    """

    steps: int
    kernel: float
    frechet: float
    psnr: float
    train: float
    held_out: float
    generated: float

    @property
    def overfitting(self) -> float:
        """Return r_v: 0 if the discriminator scores training and held-out images alike."""
        return (self.train - self.held_out) / (self.train - self.generated)


def write_data(folder: Path) -> Path:
    """Write the dataset, if it is not there; return its folder."""
    if not (folder / "testB" / f"{TRAIN + TEST - 1:04d}.png").exists():  # The last one to be written.
        write_demo(folder, train=TRAIN, test=TEST)
    return folder


def train_and_score(folder: Path, recipe: str, data: Path, settings: dict[str, Any], device: str) -> None:
    """Train a run, or continue it, and score it; a run that has been scored is not touched.

    Raises:
        click.UsageError: the folder holds a run of other settings.
    """
    fields = find_method(recipe).config_class().__dataclass_fields__
    defaults = SETTINGS | ({"norm": "batch"} if recipe in BATCH_NORM else {})
    settings = {name: value for name, value in defaults.items() if name in fields} | settings
    if (folder / SCORES).exists():
        if (stored := read_scores(folder)[0]) != settings:
            raise click.UsageError(f"{folder} has {stored}, not {settings}: give another FOLDER")
    else:
        translate.train(recipe, resume=True, data=str(data), out=str(folder), device=device, **settings)
        content = {"settings": settings, "scores": asdict(score(folder, recipe, data, device))}
        atomic_write(folder / SCORES, json.dumps(content, indent=1).encode())


def read_scores(folder: Path) -> tuple[dict[str, Any], Scores]:
    """Return the settings and the scores of a finished run."""
    content = json.loads((folder / SCORES).read_text(encoding="utf-8"))
    return content["settings"], Scores(**content["scores"])


def score(folder: Path, recipe: str, data: Path, device: str) -> Scores:
    """Score the model of a run, and its discriminator of zebras."""
    # The newest model, not the best so far, which the held-out scenes have chosen.
    translator = translate.load(folder / "model", engine="torch", device=device)
    horses = find_images(data / "testA")[: TEST // 2]
    images = [translator(read_rgb(horse)) for horse in horses]
    truth = [read_rgb(data / "testB" / horse.name) for horse in horses]
    others = [read_rgb(zebra) for zebra in find_images(data / "testB")[TEST // 2 :]]
    features = load_efficientnet_features(torch.device("cpu"))
    translations, reference = features(images), features(others)
    (step, path), *_ = reversed(Run(folder).checkpoints().items())
    return Scores(
        steps=step,
        kernel=kernel_distance(translations, reference),
        frechet=frechet_distance(translations, reference),
        psnr=mean(psnr(image, zebra, data_range=255) for image, zebra in zip(images, truth, strict=True)),
        **score_discriminator(folder, recipe, path),
    )


@torch.no_grad()
def score_discriminator(folder: Path, recipe: str, path: Path) -> dict[str, float]:
    """Return the mean scores of training images, of held-out images and of generated ones."""
    method = find_method(recipe)
    task, stored = method.load_task(), load_yaml(folder / "config.yaml")
    c = from_mapping(method.config_class(), {k: v for k, v in stored.items() if k != "recipe"}, "")
    assert isinstance(c, TranslationConfig)
    trainer, found = task.trainer(c), task.data(c)
    trainer.load_state_dict(checkpoint.load(path)["trainer"])
    generator = trainer.generators[c.direction].eval()
    totals: dict[str, list[Tensor]] = defaultdict(list)
    for name, dataset in (("train", found.train), ("held_out", found.validation)):
        for a, b in iterate_scenes(dataset):
            totals[name].append(score_image(trainer, a, b))
            if name == "train":
                totals["generated"].append(score_image(trainer, a, generator(a)))
    return {name: float(torch.stack(scores).mean()) for name, scores in totals.items()}


def iterate_scenes(dataset: SampleDataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the horse and the zebra of each sample, (1, 3, H, W) in [-1, 1]."""
    for index in range(min(TRAIN, len(dataset))):
        sample = dataset[SampleKey(0, index)]
        yield to_tensor(sample["a"][None]), to_tensor(sample["b"][None])


def score_image(trainer: Trainer, horse: Tensor, zebra: Tensor) -> Tensor:
    """Return the mean score of a zebra by the discriminator of zebras."""
    adversary = getattr(trainer, "adversary_b", None) or getattr(trainer, "adversary", None)
    assert isinstance(adversary, Adversary)
    # Without the augmentation of training, which would hide how far the discriminator overfits.
    d: nn.Module = adversary.d.eval()
    channels = next(weight for weight in d.parameters() if weight.ndim == 4).shape[1]
    scores: Tensor = d(zebra if channels == zebra.shape[1] else torch.cat([horse, zebra], dim=1))
    return scores.mean()


def print_table(runs: Mapping[str, Mapping[int, Scores]]) -> None:
    """Print the scores of all runs, the means of each variant, and its distance against plain training."""
    click.echo(
        f"{'variant':20}{'seed':>5}{'steps':>8}{'kernel':>10}{'Frechet':>10}{'PSNR':>8}"
        f"{'D(train)':>10}{'D(held-out)':>13}{'D(generated)':>14}{'overfitting':>13}"
    )
    for variant, by_seed in runs.items():
        for seed, s in sorted(by_seed.items()):
            click.echo(
                f"{variant:20}{seed:5}{s.steps:8}{s.kernel:10.4f}{s.frechet:10.2f}{s.psnr:8.2f}"
                f"{s.train:10.3f}{s.held_out:13.3f}{s.generated:14.3f}{s.overfitting:13.2f}"
            )
    plain = runs.get("plain", {})
    for variant, by_seed in runs.items():
        if shared := sorted(plain.keys() & by_seed.keys()) if variant != "plain" else []:
            for name in ("kernel", "frechet"):
                before, after = ([getattr(each[seed], name) for seed in shared] for each in (plain, by_seed))
                better = sum(b < a for a, b in zip(before, after, strict=True))
                click.echo(
                    f"{variant} against plain: mean {name} distance {mean(before):.4f} -> {mean(after):.4f}"
                    f" ({mean(after) / mean(before) - 1:+.0%}), nearer with {better} of {len(shared)} seeds"
                )


def find_scored(folder: Path, recipe: str, names: Sequence[str]) -> dict[str, dict[int, Scores]]:
    """Return the scores of the finished runs in a folder, by variant and seed."""
    runs: dict[str, dict[int, Scores]] = {}
    for name in names:
        for path in folder.glob(f"{recipe}-{name}-seed*/{SCORES}"):
            seed = int(path.parent.name.rpartition("seed")[2])
            _, runs.setdefault(name, {})[seed] = read_scores(path.parent)
    return runs


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--recipe", default="fastcut", show_default=True, help="a recipe of translation, A to B")
@click.option("--variants", default="plain,small_data", show_default=True, help=f"of {', '.join(VARIANTS)}")
@click.option("--seeds", default="0,1,2", show_default=True)
@click.option("--minutes", type=float, help="length of each run [default: 10]")
@click.option("--steps", type=int, help="length of each run in steps, instead of --minutes")
@click.option("--device", default="auto", show_default=True)
def main(
    folder: Path,
    recipe: str,
    variants: str,
    seeds: str,
    minutes: float | None,
    steps: int | None,
    device: str,
) -> None:
    """Train and score variants of a recipe on 50 + 50 scenes; write the runs to FOLDER."""
    names = variants.split(",")
    if unknown := set(names) - set(VARIANTS):
        raise click.UsageError(f"variants {', '.join(sorted(unknown))}: must be of {', '.join(VARIANTS)}")
    length = {"steps": steps} if steps else {"minutes": minutes or 10.0}
    data = write_data(folder / "data")
    for seed in map(int, seeds.split(",")):
        for name in names:
            run = folder / f"{recipe}-{name}-seed{seed}"
            click.echo(f"{run}", err=True)
            train_and_score(run, recipe, data, {**VARIANTS[name], "seed": seed, **length}, device)
    print_table(find_scored(folder, recipe, list(VARIANTS)))


if __name__ == "__main__":
    main()
