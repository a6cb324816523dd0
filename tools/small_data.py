"""Measure what helps a discriminator to learn from 50 + 50 scenes of the built-in horses and zebras.

python tools/small_data.py runs/small-data --seeds 0,1,2 --minutes 10
python tools/small_data.py runs/small-data --seeds 0,1,2 --minutes 10 --variants plain,diffaugment,ada
python tools/small_data.py runs/small-data --recipe pix2pix --seeds 0 --steps 2000

It trains each variant with each seed by `translate.train`, and prints a table of all runs in the folder.
Given again, it continues the run that was interrupted, and does not repeat what is finished. Several commands
may share a folder, each with its own seeds and one core: OMP_NUM_THREADS=1.

The translations of held-out horses are compared with the zebras of other held-out scenes, by the kernel
distance of EfficientNet-Lite0 features, and with the true zebras of their own scenes, by PSNR. The
discriminator overfits if it scores the images that it was trained on higher than held-out ones; its
overfitting is r_v of arXiv:2006.06676 (eq. 1): 0 if it scores both alike, 1 if it scores held-out images like
generated ones. Its scores are means over images without augmentation.
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
from translate.errors import UsageError
from translate.images import find_images, read_rgb, to_tensor
from translate.methods.adversary import Adversary
from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.metrics import KernelDistance, psnr
from translate.models.feature_networks import load_efficientnet_features
from translate.storage import atomic_write
from translate.training.runs import checkpoint
from translate.training.runs.folder import Run

TRAIN, TEST = 50, 200  # Scenes. Half of the test scenes are translated; the others are compared with.
SCORES = "small_data.json"  # In the folder of a finished run.
SETTINGS: dict[str, Any] = {  # The networks of configs/demo.yaml, with a wider discriminator.
    "image_size": 64,
    "load_size": 68,
    "batch_size": 4,
    "blocks": 4,
    "ngf": 16,
    "ndf": 64,
    "lambda_identity": 0.0,
    "workers": 0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "small_data": {"small_data": True},
    "diffaugment": {"diffaugment": True},
    "ada": {"ada": True},
    "narrow": {"ndf": 16},
    "narrow-diffaugment": {"ndf": 16, "diffaugment": True},
    "narrow-ada": {"ndf": 16, "ada": True},
    "r1": {"lambda_r1": 1.0},
}


@dataclass(frozen=True)
class Scores:
    """The scores of a run.

    Attributes:
        kernel: kernel distance of the translations to held-out zebras.
        psnr: mean PSNR of the translations against the true zebras, in dB.
        train, held_out, generated: mean scores of the discriminator of zebras.
    """

    steps: int
    kernel: float
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


def train_and_score(folder: Path, recipe: str, data: Path, settings: Mapping[str, Any]) -> Scores:
    """Train a run, or continue it, and score it; a run that has been scored is not touched."""
    path = folder / SCORES
    if not path.exists():
        fields = find_method(recipe).config_class().__dataclass_fields__
        known = {name: value for name, value in SETTINGS.items() if name in fields}
        out = {"data": str(data), "out": str(folder)}
        translate.train(recipe, resume=True, **{**known, **settings, **out})
        atomic_write(path, json.dumps(asdict(score(folder, recipe, data)), indent=1).encode())
    return Scores(**json.loads(path.read_text(encoding="utf-8")))


def score(folder: Path, recipe: str, data: Path) -> Scores:
    """Score the model of a run, and its discriminator of zebras."""
    translator = translate.load(folder)
    horses = find_images(data / "testA")[: TEST // 2]
    images = [translator(read_rgb(horse)) for horse in horses]
    truth = [read_rgb(data / "testB" / horse.name) for horse in horses]
    others = [read_rgb(zebra) for zebra in find_images(data / "testB")[TEST // 2 :]]
    features = load_efficientnet_features(torch.device("cpu"))
    (step, path), *_ = reversed(Run(folder).checkpoints().items())
    return Scores(
        steps=step,
        kernel=KernelDistance(features(others))(features(images)),
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
        f"{'variant':20}{'seed':>5}{'steps':>8}{'kernel':>10}{'PSNR':>8}"
        f"{'D(train)':>10}{'D(held-out)':>13}{'D(generated)':>14}{'overfitting':>13}"
    )
    for variant, by_seed in runs.items():
        for seed, s in sorted(by_seed.items()):
            click.echo(
                f"{variant:20}{seed:5}{s.steps:8}{s.kernel:10.4f}{s.psnr:8.2f}"
                f"{s.train:10.3f}{s.held_out:13.3f}{s.generated:14.3f}{s.overfitting:13.2f}"
            )
    plain = runs.get("plain", {})
    for variant, by_seed in runs.items():
        if shared := sorted(plain.keys() & by_seed.keys()) if variant != "plain" else []:
            before, after = (mean(each[seed].kernel for seed in shared) for each in (plain, by_seed))
            better = sum(by_seed[seed].kernel < plain[seed].kernel for seed in shared)
            click.echo(
                f"{variant} against plain: kernel distance {before:.4f} -> {after:.4f}"
                f" ({after / before - 1:+.0%}), nearer with {better} of {len(shared)} seeds"
            )


def find_scored(folder: Path, recipe: str, names: Sequence[str]) -> dict[str, dict[int, Scores]]:
    """Return the scores of the finished runs in a folder, by variant and seed."""
    runs: dict[str, dict[int, Scores]] = {}
    for name in names:
        for path in folder.glob(f"{recipe}-{name}-seed*/{SCORES}"):
            seed = int(path.parent.name.rpartition("seed")[2])
            runs.setdefault(name, {})[seed] = Scores(**json.loads(path.read_text(encoding="utf-8")))
    return runs


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--recipe", default="cyclegan", show_default=True, help="a recipe of translation, A to B")
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
        raise UsageError(f"variants {', '.join(sorted(unknown))}: must be of {', '.join(VARIANTS)}")
    length = {"steps": steps} if steps else {"minutes": minutes or 10.0}
    data = write_data(folder / "data")
    for seed in map(int, seeds.split(",")):
        for name in names:
            run = folder / f"{recipe}-{name}-seed{seed}"
            click.echo(f"{run}", err=True)
            settings = {**VARIANTS[name], "seed": seed, "device": device, **length}
            train_and_score(run, recipe, data, settings)
    print_table(find_scored(folder, recipe, list(VARIANTS)))


if __name__ == "__main__":
    main()
