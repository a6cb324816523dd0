"""The settings of training that all methods share."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import Config, setting
from translate.errors import UsageError


@dataclass(kw_only=True)
class TrainConfig(Config):
    """Settings of any training run."""

    data: str | None = setting(
        None, "folder of the data set, a name under datasets/, or tar files", resumable=True
    )
    out: str | None = setting(None, "folder of the run [default: runs/RECIPE]")
    epochs: int = setting(200, "passes over the data", low=1, resumable=True)
    steps: int | None = setting(None, "stop after this many steps instead", low=1, resumable=True)
    minutes: float | None = setting(
        None, "stop after this much training time instead", low=0.01, resumable=True
    )
    image_size: int = setting(256, "side of the square training crop, in pixels", low=8, high=4096)
    batch_size: int = setting(1, "images of each kind a step", low=1, high=4096)
    seed: int = setting(0, "start of every random draw", low=0, high=2**32 - 1)
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps", resumable=True)
    precision: str = setting(
        "auto",
        "arithmetic of the networks; auto is bf16 where quick",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    compile: str = setting("auto", "compile the networks with torch.compile", choices=("auto", "on", "off"))
    workers: int = setting(
        2, "processes that decode images; 0: a thread of the main one", low=0, resumable=True
    )
    cache_size: float = setting(
        10.0,
        "gigabytes of decoded images in the cache folder, and as many of tar files from elsewhere; 0: none",
        low=0,
        resumable=True,
    )
    checkpoint_every: int | None = setting(
        None,
        "steps between checkpoints, each with scores and a sample sheet [default: 3 minutes]",
        low=1,
        resumable=True,
    )
    keep_checkpoints: int = setting(2, "newest checkpoints kept, beside the best", low=1, resumable=True)
    init: str | None = setting(None, "start from this model's weights")
    deterministic: bool = setting(False, "repeat bit for bit on a CPU, and on a GPU where torch can")
    recompute: bool = setting(
        False, "forget a generator's layers and compute them again for the gradient: less memory, more time"
    )
    sync_norm: bool = setting(False, "under torchrun: batch norm over the images of all processes")
    lr: float = setting(2e-4, "learning rate of Adam", low=0, resumable=True)
    lr_g: float | None = setting(None, "that of the generators [default: lr]", low=0, resumable=True)
    lr_d: float | None = setting(None, "that of the discriminators [default: lr]", low=0, resumable=True)
    beta1: float = setting(0.5, "Adam's first momentum", low=0, high=0.9999)
    beta1_g: float | None = setting(None, "that of the generators [default: beta1]", low=0, high=0.9999)
    beta1_d: float | None = setting(None, "that of the discriminators [default: beta1]", low=0, high=0.9999)
    beta2: float = setting(0.999, "Adam's second momentum", low=0, high=0.999999)
    beta2_g: float | None = setting(None, "that of the generators [default: beta2]", low=0, high=0.999999)
    beta2_d: float | None = setting(None, "that of the discriminators [default: beta2]", low=0, high=0.999999)
    lr_schedule: str = setting(
        "linear", "course of the learning rate", choices=("constant", "linear", "cosine", "step")
    )
    lr_decay: float = setting(0.5, "share of the run over which linear falls to zero", low=0, high=1)
    clip_grad: float | None = setting(None, "largest norm of a gradient", low=0)
    ema: float = setting(0.999, "decay of the averaged generator; 0 is off", low=0, high=0.999999)

    def check(self) -> None:
        if self.steps and self.minutes:
            raise UsageError(
                f"steps {self.steps} and minutes {self.minutes:g} are two lengths: give one of them"
            )

    def rates(self, role: str) -> tuple[float, tuple[float, float]]:
        """Return the learning rate and the betas of the networks of a role.

        Args:
            role: `g` for generators, `d` for discriminators.
        """
        own = {name: getattr(self, f"{name}_{role}") for name in ("lr", "beta1", "beta2")}
        lr, beta1, beta2 = (getattr(self, name) if own[name] is None else own[name] for name in own)
        return lr, (beta1, beta2)

    @property
    def batches_per_step(self) -> int:
        """Batches that one step of the trainer takes."""
        return 1

    @property
    def accumulation_steps(self) -> int:
        """Microbatches in which a batch goes through the networks."""
        return 1

    @property
    def data_source(self) -> str:
        """Where the images are, in words."""
        return str(self.data)
