"""Time a training step: this package with several settings, the plain recipe, and the authors' code."""

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
from timing.measure import RESOURCES, Build, Run, retain_freed_memory, time_variants
from translate.config import TrainConfig
from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.training.step.stepper import Stepper


@dataclass(frozen=True)
class Case:
    """A recipe to train, with its defaults except for the image size and the batch size."""

    recipe: str
    image_size: int
    batch_size: int

    def config(self, **settings: Any) -> TrainConfig:
        """Return the config of the recipe, with some settings replaced."""
        sizes = {"image_size": self.image_size, "batch_size": self.batch_size}
        architecture = {"dcgan": {"channels": 3}, "cyclegan": {"blocks": 9}}.get(self.recipe, {})
        return find_method(self.recipe).config_class()(**{**sizes, **architecture, **settings})

    def trainer(self, c: TrainConfig) -> Trainer:
        """Create the trainer with the weights of the config's seed."""
        torch.manual_seed(c.seed)
        return find_method(self.recipe).load_task().trainer(c)

    def batch(self) -> dict[str, Tensor]:
        """Return a batch of random images, (N, 3, H, W) uint8."""
        names = ["image"] if self.recipe == "dcgan" else ["a", "b"]
        generator = torch.Generator().manual_seed(1)
        shape = (self.batch_size, 3, self.image_size, self.image_size)
        return {name: torch.randint(256, shape, generator=generator, dtype=torch.uint8) for name in names}

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


WAYS: dict[str, dict[str, Any]] = {  # the settings to time this package with, by the flags that give them
    "no flag given": {},
    "--compile on": {"compile": "on"},
    "--compile off": {"compile": "off"},
    "--precision fp32": {"precision": "fp32"},
}


def build_ours(case: Case, settings: Mapping[str, Any], device: torch.device) -> Run:
    """Build the training step of `translate train`."""
    retain_freed_memory()
    c = case.config(device=str(device), **settings)
    stepper, batch, steps = Stepper(case.trainer(c), c), case.batch(), iter(range(2**31))
    return lambda: stepper.step(batch, steps_done=next(steps))


def build_plain(case: Case, device: torch.device) -> Run:
    """Build the training step of the plain recipe."""
    c = case.config()
    step = plain.STEPS[case.recipe](case.trainer(c).to(device), c)
    batch = {name: images.float() / 127.5 - 1 for name, images in case.batch().items()}
    return lambda: step({name: images.to(device) for name, images in batch.items()})


def count_flops(case: Case) -> int:
    """Count the FLOPs of a step's convolutions and matrix products, forward and backward.

    The step is run on the meta device, which computes nothing, and without an image pool, which reads values.
    """
    c = case.config(**({"pool_size": 0} if case.recipe == "cyclegan" else {}))
    with torch.device("meta"):
        step = plain.STEPS[case.recipe](case.trainer(c).to("meta"), c, plain.NoOpOptimizer)
        batch = {name: torch.empty_like(x, dtype=torch.float32) for name, x in case.batch().items()}
        with FlopCounterMode(display=False) as counter:
            step({name: images.to("meta") for name, images in batch.items()})
    return int(counter.get_total_flops())


def build_reference(case: Case, folder: Path, device: torch.device) -> Run:
    """Build the training step of a checkout of the authors' code, pytorch-CycleGAN-and-pix2pix."""
    sys.path.insert(0, str(folder))
    from models import create_model  # type: ignore[import-not-found]
    from options.train_options import TrainOptions  # type: ignore[import-not-found]

    work = RESOURCES.enter_context(tempfile.TemporaryDirectory())
    name = {"cyclegan": "cycle_gan", "pix2pix": "pix2pix"}[case.recipe]
    sizes = ["--crop_size", str(case.image_size), "--batch_size", str(case.batch_size)]
    sys.argv = ["train.py", "--dataroot", work, "--model", name, "--checkpoints_dir", work, *sizes]
    # Later versions have no --gpu_ids and ask torch for the device.
    if "--gpu_ids" in (folder / "options" / "base_options.py").read_text():
        sys.argv += ["--gpu_ids", "-1" if device.type == "cpu" else str(device.index or 0)]
    options = TrainOptions().parse()
    options.device = device
    model = create_model(options)
    images = {name.upper(): x.float() / 127.5 - 1 for name, x in case.batch().items()}
    paths: dict[str, list[str]] = {"A_paths": [], "B_paths": []}

    def step() -> None:
        model.set_input({**images, **paths})
        model.optimize_parameters()

    return step


def rows(
    case: Case,
    ways: Iterable[str],
    rounds: int,
    *,
    rate: float,
    device: torch.device,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Return the time, the share of the machine's FLOP/s and the peak memory of each variant, plain first.

    Args:
        ways: names of `WAYS` to time this package with.
        rate: FLOP/s of the device, as measured by matrix products.
        folder: a checkout of the authors' code, if there is one.
    """
    variants: dict[str, Build] = {"plain": partial(build_plain, case, device)}
    if folder and case.recipe != "dcgan":
        variants["the authors' code"] = partial(build_reference, case, folder, device)
    variants |= {f"ours, {way}": partial(build_ours, case, WAYS[way], device) for way in ways}
    timings = time_variants(variants, rounds, device=device)
    flops, base = count_flops(case), timings["plain"]
    return [
        {
            "case": str(case),
            "way": name,
            "ms": 1000 * timing.seconds,
            "ratio": base.seconds / timing.seconds,
            "share": flops / timing.seconds / rate,
            "peak_gb": timing.peak / 1e9,
        }
        for name, timing in timings.items()
    ]
