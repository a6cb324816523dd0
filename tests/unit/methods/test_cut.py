"""CUT and FastCUT: which images are compared, in which direction, and what a mirrored batch changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import translate
from tests.images import demo
from tests.updates import Updates, plain_updates
from translate.errors import UsageError
from translate.methods.cut.config import CUTConfig, FastCUTConfig
from translate.methods.cut.trainer import CUT
from translate.methods.trainer import StepProgress

SMALL: dict[str, Any] = {"ngf": 4, "ndf": 4, "image_size": 32, "blocks": 1, "d_layers": 2, "nce_width": 8}


def new(config_class: type[CUTConfig] = CUTConfig, **settings: Any) -> CUT:
    torch.manual_seed(0)
    return CUT(config_class(**{**SMALL, **settings})).double()


def images() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {name: torch.rand(2, 3, 32, 32, generator=random).double() * 2 - 1 for name in "ab"}


def losses(trainer: CUT, batch: dict[str, Tensor]) -> dict[str, float]:
    """Return the losses of a step that leaves the weights as they are."""
    torch.manual_seed(2)
    losses = trainer.step(batch, Updates(lambda name, loss, step: None), StepProgress())
    return {name: loss.item() for name, loss in losses.items()}


@pytest.mark.parametrize("config_class", [CUTConfig, FastCUTConfig])
def test_the_other_direction_is_the_same_step_with_the_domains_exchanged(
    config_class: type[CUTConfig],
) -> None:
    batch = images()
    swapped = {"a": batch["b"], "b": batch["a"]}
    forward = losses(new(config_class), batch)
    assert losses(new(config_class, direction="BtoA"), swapped) == forward
    assert losses(new(config_class, direction="BtoA"), batch) != forward


def test_mirrored_batches_of_a_mirror_symmetric_generator_have_the_loss_of_others() -> None:
    trainer = new(FastCUTConfig)
    batch = images()
    with (
        torch.no_grad()
    ):  # Symmetric kernels commute with mirroring, and so does the step, but for antialiasing.
        for weight in trainer.g.parameters():
            if weight.ndim == 4:
                weight.copy_((weight + weight.flip(3)) / 2)
    trainer.draw_positions = lambda features: [torch.arange(x[0, 0].numel()) for x in features]
    found = []
    for flip in (False, True):
        trainer.draw_flip = lambda x, flip=flip: torch.tensor(flip)
        found.append(losses(trainer, batch)["nce"])
    assert found[0] == pytest.approx(found[1], rel=0.02)
    plain = new(FastCUTConfig, flip_equivariance=False)
    plain.load_state_dict(trainer.state_dict())
    plain.draw_positions = trainer.draw_positions
    assert losses(plain, batch)["nce"] == pytest.approx(found[0], rel=1e-9)


def test_half_of_the_batches_are_mirrored() -> None:
    trainer = new(FastCUTConfig)
    torch.manual_seed(0)
    flips = [bool(trainer.draw_flip(torch.zeros(1))) for _ in range(400)]
    assert 160 < sum(flips) < 240


def test_more_negatives_make_the_task_harder() -> None:
    own, all_images = (losses(new(all_negatives=value), images())["nce"] for value in (False, True))
    assert all_images > own


def test_a_step_in_half_precision_trains_every_weight_of_the_head() -> None:
    """Autocast keeps 16-bit copies of weights, which must not be those of a pass without gradients."""
    trainer = new(FastCUTConfig).float()
    batch = {name: image.float() for name, image in images().items()}
    before = {name: weight.clone() for name, weight in trainer.named_parameters() if name.startswith("f.")}
    with torch.autocast("cpu", torch.bfloat16):
        trainer.step(batch, plain_updates(trainer), StepProgress())
    for name, weight in trainer.named_parameters():
        if name in before:
            assert not weight.equal(before[name]), name


def test_different_channels_are_refused() -> None:
    with pytest.raises(UsageError, match="in_channels 1 and out_channels 3"):
        CUTConfig(in_channels=1, out_channels=3)


@pytest.mark.usefixtures("torch_engine_only")
def test_gray_images_without_resizing_in_the_other_direction_train_and_apply(tmp_path: Path) -> None:
    settings = {"in_channels": 1, "out_channels": 1, "preprocess": "none", "direction": "BtoA"}
    model = translate.train(
        "fastcut",
        data=str(demo(tmp_path / "data")),
        out=str(tmp_path / "run"),
        steps=1,
        workers=0,
        device="cpu",
        **SMALL,
        **settings,
    )
    assert list(model.config.routes) == ["BtoA"]
    assert model(np.zeros((24, 32), np.uint8)).shape == (24, 32)
