"""A captured step, replayed, reaches the same bits as eager steps, for every method and every option."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.images import demo, training_data
from tests.recorder import RecordingCapturer
from tests.variants import ATTENTION
from translate.data.datasets.samples import SampleKey
from translate.methods.registry import METHODS, find_method
from translate.methods.trainer import StepProgress
from translate.training.step.graph import WARM_UP_STEPS
from translate.training.step.stepper import Stepper

SMALL: dict[str, Any] = {
    "image_size": 32,
    "batch_size": 2,
    "workers": 0,
    "cache_size": 0,
    "device": "cpu",
    "precision": "fp32",
    "ngf": 4,
    "ndf": 4,
    "blocks": 2,
    "d_layers": 2,
    "pool_size": 3,
    "nce_width": 16,
    "nce_patches": 32,
    "fmap_base": 64,
    "fmap_max": 8,
}
STEPS = 16
# With so few levels, each phase of progressive growing takes more steps than those of a warm-up.
SHORT: dict[str, dict[str, Any]] = {"progan": {"image_size": 8}}
DEFAULTS: list[tuple[str, dict[str, Any]]] = [(name, SHORT.get(name, {})) for name in METHODS]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"batch_size": 4, "accumulate": 2}) for name in ("cyclegan", "pix2pix", "colorize", "inpaint")),
    *((name, {"clip_grad": 0.1, "ema": 0}) for name in ("cyclegan", "dcgan", "wgan")),
    *((name, {"recompute": True}) for name in ("cyclegan", "colorize", "dcgan")),
    ("pix2pix", {"gan_loss": "wgan-gp", "norm": "instance"}),
    ("pix2pix", {"align": True, "precision": "bf16", "norm": "instance"}),
    ("cyclegan", {"gan_loss": "wgan-gp", "batch_size": 4, "accumulate": 2, "clip_grad": 0.1}),
    ("cyclegan", {"precision": "bf16", "lambda_identity": 0}),
    (
        "pix2pix",
        {
            "norm": "instance",
            "lambda_r1": 10,
            "r1_every": 3,
            "spectral": True,
            "batch_size": 4,
            "accumulate": 2,
        },
    ),
    ("cyclegan", {"discriminator": "multiscale", "d_layers": 1, "gan_loss": "relativistic"}),
    ("cut", {"batch_size": 4, "accumulate": 2, "clip_grad": 0.1, "all_negatives": True}),
    ("fastcut", {"precision": "bf16", "recompute": True, "direction": "BtoA", "norm": "batch"}),
    ("dclgan", {"precision": "bf16", "clip_grad": 0.1, "norm": "batch"}),
    ("colorize", {"lambda_gan": 1, "ada": True, "batch_size": 4, "accumulate": 2}),
    ("inpaint", {**ATTENTION, "precision": "bf16", "recompute": True}),
    ("pix2pix", {"diffaugment": True, "precision": "bf16", "norm": "instance"}),
    ("dcgan", {"diffaugment": True, "spectral": True, "d_steps": 2}),
    ("wgan-gp", {"diffaugment": True, "d_norm": "instance"}),
    ("stargan", {"diffaugment": True, "precision": "bf16", "d_steps": 2, "recompute": True}),
    ("infogan", {"diffaugment": True, "precision": "bf16"}),
    ("stylegan2", {"r1_every": 2, "path_every": 3, "precision": "bf16", "recompute": True}),
    ("biggan", {"diffaugment": True, "precision": "bf16", "attention": 16, "recompute": True}),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("graph") / "data")


def new_stepper(
    name: str, data: Path, settings: dict[str, Any], capturer: RecordingCapturer | None = None
) -> tuple[Stepper, Callable[[int], dict[str, Tensor]]]:
    """Return a stepper, and a function that returns its batch of a step."""
    method = find_method(name)
    config_class = method.config_class()
    own = {key: value for key, value in SMALL.items() if key in config_class.__dataclass_fields__}
    c = config_class(data=str(training_data(name, data)), **{**own, **settings})
    task = method.load_task()
    task_data = task.data(c)
    c = c.replace(**task_data.settings)
    torch.manual_seed(0)
    stepper = Stepper(task.trainer(c), c, capturer=capturer)
    if capturer:
        capturer.state = stepper.state
    stepper.update.step_in_backward = False  # As on a GPU.
    torch.manual_seed(1)

    def batch(number: int) -> dict[str, Tensor]:
        stage = c.replace(**task.settings_at(c, StepProgress(number, 0, number / STEPS)))
        images = task_data.train if stage == c else task.data(stage).train
        count = stage.batch_size * stage.batches_per_step
        samples = [images[SampleKey(number, index % len(images))] for index in range(count)]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}

    return stepper, batch


def take_steps(stepper: Stepper, batch: Callable[[int], dict[str, Tensor]], steps: range) -> list[float]:
    """Take steps with a falling learning rate; return their losses."""
    losses: list[float] = []
    for step in steps:
        factor = 1 - step / (STEPS + 5)
        progress = {"steps_done": step, "fraction": step / STEPS, "learning_rate_factor": factor}
        losses += [loss.item() for loss in stepper.step(batch(step), **progress).values()]
    return losses


def tensors(stepper: Stepper) -> dict[str, Tensor]:
    """Return all tensors that a step changes, by name."""
    state = {**stepper.trainer.state_dict(), **stepper.ema.state_dict()}
    for name, optimizer in stepper.trainer.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            state |= {f"{name}.{number}.{key}": v for key, v in values.items() if isinstance(v, Tensor)}
    return state


def differences(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    assert first.keys() == second.keys()
    return [name for name, value in first.items() if not value.equal(second[name])]


@pytest.mark.parametrize(
    ("name", "settings"), [*DEFAULTS, *(pytest.param(*row, marks=pytest.mark.slow) for row in OPTIONS)]
)
def test_a_replayed_step_equals_an_eager_step_bitwise(
    name: str, settings: dict[str, Any], data: Path
) -> None:
    eager, batch = new_stepper(name, data, settings)
    losses = take_steps(eager, batch, range(STEPS))
    capturer = RecordingCapturer()
    captured, batch = new_stepper(name, data, settings, capturer)
    assert take_steps(captured, batch, range(STEPS)) == losses
    variants = Counter(eager.trainer.variant(StepProgress(step, 0, step / STEPS)) for step in range(STEPS))
    replayed = [count - WARM_UP_STEPS for count in variants.values() if count > WARM_UP_STEPS]
    assert capturer.captured == len(replayed)
    assert capturer.replays == sum(replayed)
    assert differences(tensors(eager), tensors(captured)) == []
