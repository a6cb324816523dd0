"""Time a training step: this package with several settings, the plain recipe, and the authors' code."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from timing import plain
from timing.measure import RESOURCES, Build, Run, Timing, retain_freed_memory, time_variants
from translate.config import TrainConfig
from translate.data.datasets.upload import CUDAUploader, upload_ahead
from translate.methods.registry import find_method
from translate.methods.trainer import Trainer
from translate.training.step.graph import WARM_UP_STEPS
from translate.training.step.stepper import Stepper

# The last of the first steps on a GPU is the first that a CUDA graph replays.
FIRST_STEPS_ON_GPU = WARM_UP_STEPS + 1


PUBLISHED: dict[str, dict[str, Any]] = {  # Networks and losses, where other sizes have other defaults.
    "dcgan": {"channels": 3},
    "cyclegan": {"blocks": 9},
    "cut": {"blocks": 9, "nce_layers": "0,4,8,12,16"},
    "fastcut": {"blocks": 9, "nce_layers": "0,4,8,12,16", "lambda_nce": 10},
}
AUTHORS_NAMES = {"cyclegan": "cycle_gan", "pix2pix": "pix2pix"}  # of recipes in pytorch-CycleGAN-and-pix2pix


@dataclass(frozen=True)
class Case:
    """A recipe to train, with its defaults except for the image size and the batch size."""

    recipe: str
    image_size: int
    batch_size: int

    def config(self, **settings: Any) -> TrainConfig:
        """Return the config of the recipe, with some settings replaced."""
        sizes = {"image_size": self.image_size, "batch_size": self.batch_size}
        return find_method(self.recipe).config_class()(
            **{**sizes, **PUBLISHED.get(self.recipe, {}), **settings}
        )

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
    "cut-128": Case("cut", 128, 1),
    "fastcut-128": Case("fastcut", 128, 1),
    "cyclegan-256": Case("cyclegan", 256, 1),
    "cyclegan-256-8": Case("cyclegan", 256, 8),
    "pix2pix-256": Case("pix2pix", 256, 1),
    "pix2pix-256-8": Case("pix2pix", 256, 8),
    "pix2pix-256-16": Case("pix2pix", 256, 16),
    "dcgan-64": Case("dcgan", 64, 64),
}


@dataclass(frozen=True)
class Way:
    """Settings to time this package with.

    Attributes:
        compiles_later: the networks are compiled after the first steps, as `--compile auto` does on a GPU
            once it knows that this pays off.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    compiles_later: bool = False


WAYS = {  # by the flags that give them
    "--graph off --compile off": Way({"graph": "off", "compile": "off"}),
    "--compile off": Way({"compile": "off"}),
    "--compile on": Way({"compile": "on"}),
    "no flag given": Way(),
    "no flag given, once compiled": Way(compiles_later=True),
    "--precision fp32": Way({"precision": "fp32"}),
    "--precision tf32": Way({"precision": "tf32"}),
}


def default_cases(device: torch.device) -> list[str]:
    """Return the names of the cases to time on a device.

    CycleGAN with batch 8 would take a CPU too long. CUT and FastCUT take turns with CycleGAN, which would
    need the memory of all three.
    """
    if device.type == "cuda":
        return ["cyclegan-256", "cyclegan-256-8", "pix2pix-256", "pix2pix-256-16", "dcgan-64"]
    return [name for name in CASES if name not in ("cyclegan-256-8", "cut-128", "fastcut-128")]


def default_ways(device: torch.device) -> list[str]:
    """Return the names of the ways to time on a device."""
    if device.type == "cuda":
        return [name for name, way in WAYS.items() if "precision" not in way.settings]
    return ["no flag given", "--compile on", "--compile off", "--precision fp32"]


def build_ours(case: Case, name: str, device: torch.device) -> Run:
    """Build the training step of `translate train`, and print how it runs.

    Args:
        name: the name of a way.

    Raises:
        RuntimeError: the networks are to be compiled later, which training would not do here.
    """
    retain_freed_memory()
    way = WAYS[name]
    c = case.config(device=str(device), **way.settings)

    def log(line: str) -> None:
        click.echo(f"{case}, {name}: {line}", err=True)

    stepper, batches, numbers = Stepper(case.trainer(c), c, log=log), upload(case.batch(), device), count()
    log(stepper.description)

    def step() -> None:
        stepper.step(next(batches), steps_done=next(numbers))

    if way.compiles_later:
        if not stepper.compiles_later:
            raise RuntimeError("the networks are not compiled later here")
        for _ in range(FIRST_STEPS_ON_GPU):
            step()
        stepper.start_compiling()
    return step


def upload(batch: dict[str, Tensor], device: torch.device) -> Iterator[dict[str, Tensor]]:
    """Yield a batch again and again, as the loader of training does: on a GPU, uploaded one ahead."""
    if device.type == "cuda":
        return upload_ahead((batch for _ in count()), CUDAUploader(device))
    return repeat(batch)


def build_plain(case: Case, device: torch.device, *, tf32: bool = False) -> Run:
    """Build the training step of the plain recipe, in float32 or TF32; it never waits for a GPU."""
    if device.type == "cuda":
        plain.set_tf32(tf32)
    c = case.config()
    step = plain.STEPS[case.recipe](case.trainer(c).to(device), c)
    batch = {name: images.float() / 127.5 - 1 for name, images in case.batch().items()}
    if device.type == "cuda":
        batch = {name: images.pin_memory() for name, images in batch.items()}
    return lambda: step({name: images.to(device, non_blocking=True) for name, images in batch.items()})


def count_flops(case: Case) -> int:
    """Count the FLOPs of a step's convolutions and matrix products, forward and backward.

    The step is run on the meta device, which computes nothing.
    """
    c = case.config()
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
    name = AUTHORS_NAMES[case.recipe]
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


def variants(case: Case, ways: Iterable[str], device: torch.device, folder: Path | None) -> dict[str, Build]:
    """Return the variants to time by their names, the plain recipe first; on a GPU, also in TF32.

    Args:
        ways: names of `WAYS` to time this package with.
        folder: a checkout of the authors' code, if there is one.
    """
    builds: dict[str, Build]
    if device.type == "cuda":
        builds = {
            "plain, fp32": partial(build_plain, case, device),
            "plain, TF32": partial(build_plain, case, device, tf32=True),
        }
    else:
        builds = {"plain": partial(build_plain, case, device)}
    if folder and case.recipe in AUTHORS_NAMES:
        builds["the authors' code"] = partial(build_reference, case, folder, device)
    return builds | {f"ours, {way}": partial(build_ours, case, way, device) for way in ways}


def rows(
    cases: Iterable[Case],
    ways: Iterable[str],
    rounds: int,
    *,
    rate: float,
    device: torch.device,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Time each variant of some cases, in turn, and return what `compare` does for each case.

    Args:
        ways, folder: as for `variants`.
        rate: FLOP/s of the device, as measured by matrix products.
    """
    builds = {
        (case, name): build for case in cases for name, build in variants(case, ways, device, folder).items()
    }
    first_runs = FIRST_STEPS_ON_GPU if device.type == "cuda" else 1
    timings = time_variants(
        {f"{case}, {name}": build for (case, name), build in builds.items()},
        rounds,
        first_runs=first_runs,
        device=device,
    )
    timed: dict[Case, dict[str, Timing]] = {}
    for case, name in builds:
        if timing := timings.get(f"{case}, {name}"):
            timed.setdefault(case, {})[name] = timing
    return [row for case, of_case in timed.items() for row in compare(case, of_case, rate)]


def compare(case: Case, timings: Mapping[str, Timing], rate: float) -> list[dict[str, Any]]:
    """Return the time, the share of the machine's FLOP/s and the peak memory of each variant.

    Figures relative to a variant that could not be timed are left out.
    """
    flops = count_flops(case)
    base, tf32 = timings.get("plain") or timings.get("plain, fp32"), timings.get("plain, TF32")
    table = []
    for name, timing in timings.items():
        row = {
            "case": str(case),
            "way": name,
            "ms": 1000 * timing.seconds,
            "share": flops / timing.seconds / rate,
            "start": timing.start,
            "peak_gb": timing.peak / 1e9,
        }
        if timing.tensors:
            row["tensors_gb"] = timing.tensors / 1e9
        if base:
            row |= {"ratio": base.seconds / timing.seconds, "memory": timing.peak / base.peak}
        if tf32:
            row["ratio_tf32"] = tf32.seconds / timing.seconds
        table.append(row)
    return table
