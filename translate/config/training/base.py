"""The training settings that all methods share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from translate.config.apply import DEVICE_HELP, PRECISIONS
from translate.config.schema import Config, setting
from translate.config.value_range import AUTO, parse_ranges
from translate.errors import UsageError


@dataclass(kw_only=True)
class TrainConfig(Config):
    """The settings of any training run."""

    data: str | None = setting(
        None,
        "folder of the dataset, a name under datasets/, or tar files",
        metavar="DIR",
        group="data",
        common=True,
        resumable=True,
    )
    out: str | None = setting(
        None, "folder of the run [default: runs/RECIPE]", metavar="DIR", group="run", common=True
    )
    epochs: int = setting(
        200, "passes over the training set", low=1, group="run", common=True, resumable=True
    )
    steps: int | None = setting(
        None,
        "length of the run in steps, instead of --epochs",
        low=1,
        group="run",
        common=True,
        resumable=True,
    )
    minutes: float | None = setting(
        None,
        "length of the run in minutes, instead of --epochs",
        low=0.01,
        group="run",
        common=True,
        resumable=True,
    )
    range: str = setting(
        AUTO,
        "stored values of black and white (0,4095), or those of A and B (0,4095:0,900); auto: measured, for"
        " 16-bit files that use fewer bits and for floats; type: as the files' type says",
        metavar="LOW,HIGH",
        group="data",
    )
    image_size: int = setting(
        256, "side of the square training crop, in pixels", low=8, high=4096, group="data", common=True
    )
    batch_size: int = setting(
        1, "images in a batch, of each domain", low=1, high=4096, group="optimization", common=True
    )
    seed: int = setting(0, "seed of all random numbers", low=0, high=2**32 - 1, group="run")
    device: str = setting(
        "auto", DEVICE_HELP, metavar="DEVICE", group="performance", common=True, resumable=True
    )
    precision: str = setting(
        "auto",
        "mixed precision; auto is bf16 if the hardware is fast at it",
        choices=PRECISIONS,
        group="performance",
    )
    compile: str = setting(
        "auto",
        "compile the networks with torch.compile; auto: if it pays off",
        choices=("auto", "on", "off"),
        group="performance",
    )
    graph: str = setting(
        "auto",
        "capture the whole step as one CUDA graph, on a GPU; off: launch each operation by itself",
        choices=("auto", "off"),
        group="performance",
        resumable=True,
    )
    workers: int = setting(
        2,
        "processes that load images; 0: a thread of the main process",
        low=0,
        group="performance",
        resumable=True,
    )
    cache_size: float = setting(
        10.0,
        "gigabytes of decoded images in the cache folder, and as many of remote tar files; 0: no cache",
        low=0,
        group="performance",
        resumable=True,
    )
    checkpoint_every: int | None = setting(
        None,
        "steps from one checkpoint (validation, sample sheet) to the next [default: one every 3 minutes]",
        low=1,
        group="run",
        resumable=True,
    )
    keep_checkpoints: int = setting(
        2, "newest checkpoints to keep, besides the best checkpoint", low=1, group="run", resumable=True
    )
    early_stopping: int = setting(
        0,
        "end the run after this many validations without a better score; 0: off; for recipes with a best"
        " checkpoint",
        low=0,
        group="run",
        resumable=True,
    )
    init: str | None = setting(
        None, "start from the weights of this model", metavar="MODEL", group="run", common=True
    )
    deterministic: bool = setting(
        False,
        "the same weights bit for bit in each run on a CPU, and on a GPU as far as torch can",
        group="run",
    )
    recompute: bool = setting(
        False,
        "gradient checkpointing of the generators: less memory, one more forward pass",
        group="performance",
    )
    sync_norm: bool = setting(
        False, "synchronized batch norm over all processes of torchrun", group="performance"
    )
    lr: float = setting(2e-4, "learning rate of Adam", low=0, group="optimization", resumable=True)
    lr_g: float | None = setting(
        None, "learning rate of the generators [default: lr]", low=0, group="optimization", resumable=True
    )
    lr_d: float | None = setting(
        None,
        "learning rate of the discriminators [default: lr]",
        low=0,
        group="optimization",
        resumable=True,
    )
    beta1: float = setting(0.5, "beta1 of Adam (momentum)", low=0, high=0.9999, group="optimization")
    beta1_g: float | None = setting(
        None, "beta1 of the generators [default: beta1]", low=0, high=0.9999, group="optimization"
    )
    beta1_d: float | None = setting(
        None, "beta1 of the discriminators [default: beta1]", low=0, high=0.9999, group="optimization"
    )
    beta2: float = setting(
        0.999, "beta2 of Adam (squared gradients)", low=0, high=0.999999, group="optimization"
    )
    beta2_g: float | None = setting(
        None, "beta2 of the generators [default: beta2]", low=0, high=0.999999, group="optimization"
    )
    beta2_d: float | None = setting(
        None, "beta2 of the discriminators [default: beta2]", low=0, high=0.999999, group="optimization"
    )
    lr_schedule: str = setting(
        "linear",
        "learning-rate schedule",
        choices=("constant", "linear", "cosine", "step"),
        group="optimization",
        resumable=True,
    )
    lr_decay: float = setting(
        0.5,
        "fraction of the run, at its end, over which the linear schedule decays towards zero",
        low=0,
        high=1,
        group="optimization",
        resumable=True,
    )
    clip_grad: float | None = setting(
        None, "gradient clipping: largest norm of an optimizer's gradient", low=0, group="optimization"
    )
    ema: float = setting(
        0.999,
        "decay of the exponential moving average of the generator's weights; 0: off",
        low=0,
        high=0.999999,
        group="optimization",
    )

    def check(self) -> None:
        if self.range != AUTO:
            parse_ranges(self.range)
        if self.steps and self.minutes:
            raise UsageError(
                f"steps {self.steps} and minutes {self.minutes:g} both set the length of the run:"
                " give one of them"
            )

    @classmethod
    def complete(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Add the settings of a new run that follow from those that the user gave, which win.

        Returns:
            The settings, and lines for the log: what was added, and why.

        Raises:
            UsageError: a setting that the user gave would have no effect.
        """
        return dict(given), []

    def learning_rate_and_betas(self, role: str) -> tuple[float, tuple[float, float]]:
        """Return the learning rate and the betas of the networks of a role.

        Args:
            role: `g` for generators, `d` for discriminators.
        """
        own = {name: getattr(self, f"{name}_{role}") for name in ("lr", "beta1", "beta2")}
        lr, beta1, beta2 = (getattr(self, name) if own[name] is None else own[name] for name in own)
        return lr, (beta1, beta2)

    @property
    def init_models(self) -> list[str]:
        """Return the models whose weights a new run starts from."""
        return [self.init] if self.init else []

    @property
    def batches_per_step(self) -> int:
        """Return the number of batches that one step of the trainer takes."""
        return 1

    @property
    def accumulation_steps(self) -> int:
        """Return the number of microbatches per step (gradient accumulation)."""
        return 1

    @property
    def data_source(self) -> str:
        """Return the paths of the images, in words."""
        return str(self.data)
