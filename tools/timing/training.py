"""A step of training: ours as it comes, ours with what could be chosen otherwise, and the plain recipe."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from timing import plain
from timing.measure import KEPT, Build, Run, keep_heap, timed
from translate.config import TrainConfig
from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.training.step.stepper import Stepper


@dataclass(frozen=True)
class Case:
    """What is trained: the recipe by its defaults, but for these."""

    recipe: str
    image_size: int
    batch_size: int

    def config(self, **settings: Any) -> TrainConfig:
        sizes = {"image_size": self.image_size, "batch_size": self.batch_size}
        own = {"channels": 3} if self.recipe == "dcgan" else {}
        if self.recipe == "cyclegan":
            own = {"blocks": 9}
        return find_method(self.recipe).config_class()(**{**sizes, **own, **settings})

    def trainer(self, c: TrainConfig) -> Trainer:
        torch.manual_seed(c.seed)
        return find_method(self.recipe).load_task().trainer(c)

    def batch(self) -> dict[str, Tensor]:
        """Random images, (N, 3, H, W) uint8."""
        names = ["image"] if self.recipe == "dcgan" else ["a", "b"]
        random = torch.Generator().manual_seed(1)
        shape = (self.batch_size, 3, self.image_size, self.image_size)
        return {name: torch.randint(256, shape, generator=random, dtype=torch.uint8) for name in names}

    def __str__(self) -> str:
        return f"{self.recipe}, {self.image_size} px, batch {self.batch_size}"


CASES = {
    "cyclegan-128": Case("cyclegan", 128, 1),
    "cyclegan-128-4": Case("cyclegan", 128, 4),
    "cyclegan-256": Case("cyclegan", 256, 1),
    "pix2pix-256": Case("pix2pix", 256, 1),
    "pix2pix-256-8": Case("pix2pix", 256, 8),
    "pix2pix-256-16": Case("pix2pix", 256, 16),
    "dcgan-64": Case("dcgan", 64, 64),
}


WAYS: dict[str, dict[str, Any]] = {
    "no flag given": {},
    "--compile on": {"compile": "on"},
    "--compile off": {"compile": "off"},
    "--precision fp32": {"precision": "fp32"},
}


def ours(case: Case, settings: Mapping[str, Any], device: torch.device) -> Run:
    """A step as `translate train` takes it."""
    keep_heap()
    c = case.config(device=str(device), **settings)
    stepper, batch, steps = Stepper(case.trainer(c), c), case.batch(), iter(range(2**31))
    return lambda: stepper.step(batch, step=next(steps))


def theirs(case: Case, device: torch.device) -> Run:
    """A step of the plain recipe."""
    c = case.config()
    step = plain.STEPS[case.recipe](case.trainer(c).to(device), c)
    batch = {name: images.float() / 127.5 - 1 for name, images in case.batch().items()}
    return lambda: step({name: part.to(device) for name, part in batch.items()})


def operations(case: Case) -> int:
    """Of a step's convolutions and matrix products, forward and backward, counted without taking it."""
    c = case.config(**({"pool_size": 0} if case.recipe == "cyclegan" else {}))
    with torch.device("meta"):
        step = plain.STEPS[case.recipe](case.trainer(c).to("meta"), c, plain.NoStep)
        batch = {name: torch.empty_like(part, dtype=torch.float32) for name, part in case.batch().items()}
        with FlopCounterMode(display=False) as counter:
            step({name: part.to("meta") for name, part in batch.items()})
    return int(counter.get_total_flops())


def reference(case: Case, folder: Path, device: torch.device) -> Run:
    """A step of a checkout of the authors' code (pytorch-CycleGAN-and-pix2pix)."""
    sys.path.insert(0, str(folder))
    from models import create_model  # type: ignore[import-not-found]
    from options.train_options import TrainOptions  # type: ignore[import-not-found]

    work = KEPT.enter_context(tempfile.TemporaryDirectory())
    model = {"cyclegan": "cycle_gan", "pix2pix": "pix2pix"}[case.recipe]
    sizes = ["--crop_size", str(case.image_size), "--batch_size", str(case.batch_size)]
    sys.argv = ["train.py", "--dataroot", work, "--model", model, "--checkpoints_dir", work, *sizes]
    if "--gpu_ids" in (folder / "options" / "base_options.py").read_text():  # later versions ask torch
        sys.argv += ["--gpu_ids", "-1" if device.type == "cpu" else str(device.index or 0)]
    options = TrainOptions().parse()
    options.device = device
    made = create_model(options)
    images = {name.upper(): part.float() / 127.5 - 1 for name, part in case.batch().items()}
    paths: dict[str, list[str]] = {"A_paths": [], "B_paths": []}

    def step() -> None:
        made.set_input({**images, **paths})
        made.optimize_parameters()

    return step


def rows(
    case: Case,
    settings: Iterable[str],
    rounds: int,
    *,
    rate: float,
    device: torch.device,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Each way, the plain recipe first.

    Args:
        settings: of `WAYS`, with which ours is timed.
        rate: operations a second that the device reaches.
        folder: of the authors' code, where there is one.
    """
    ways: dict[str, Build] = {"plain": partial(theirs, case, device)}
    if folder and case.recipe != "dcgan":
        ways["the authors' code"] = partial(reference, case, folder, device)
    ways |= {f"ours, {flags}": partial(ours, case, WAYS[flags], device) for flags in settings}
    found = timed(ways, rounds, device=device)
    needed, base = operations(case), found["plain"]
    return [
        {
            "case": str(case),
            "way": name,
            "ms": 1000 * figures.seconds,
            "ratio": base.seconds / figures.seconds,
            "share": needed / figures.seconds / rate,
            "peak_gb": figures.peak / 1e9,
        }
        for name, figures in found.items()
    ]
