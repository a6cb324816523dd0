"""StarGAN is trained on domains in sub-folders and on attributes of a table, resumed, and fine-tuned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import translate
from tests.images import noise
from tests.updates import Updates
from translate.api import Translator
from translate.config import MultiDomainModelConfig
from translate.data.demo import COATS, write_coats
from translate.errors import TranslateError
from translate.images import read_rgb, write_rgb
from translate.methods.stargan.config import StarGANConfig
from translate.methods.stargan.trainer import StarGAN
from translate.methods.trainer import StepProgress
from translate.models import Model

pytestmark = pytest.mark.usefixtures("torch_engine_only")
TINY: dict[str, Any] = {
    "image_size": 16,
    "load_size": 16,
    "ngf": 2,
    "ndf": 2,
    "blocks": 1,
    "batch_size": 2,
    "workers": 0,
    "device": "cpu",
    "precision": "fp32",
}
COLUMN = 132  # Pixels from one column of a sample sheet to the next.


def train(data: Path, out: Path, **settings: Any) -> Translator:
    model = translate.train("stargan", data=str(data), out=str(out), **{**TINY, **settings})
    assert isinstance(model, Translator)
    return model


def config_of(model: Translator) -> MultiDomainModelConfig:
    assert isinstance(model.config, MultiDomainModelConfig)
    return model.config


@pytest.fixture
def coats(tmp_path: Path) -> Path:
    write_coats(tmp_path / "coats", size=16, train=6, test=2)
    return tmp_path / "coats"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Write gray faces, and a table of their attributes; return the folder."""
    rows = ["image,blond,young,bald"]
    for number in range(8):
        pixels = read_rgb(noise(tmp_path / "faces" / f"{number}.png", 16, 16, seed=number))
        write_rgb(np.repeat(pixels[..., :1], 3, axis=2), tmp_path / "faces" / f"{number}.png")
        rows.append(f"{number}.png,{number % 2},{number // 4},0")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    return tmp_path / "faces"


def test_a_run_on_sub_folders(coats: Path, tmp_path: Path) -> None:
    model = train(coats, tmp_path / "run", steps=1)
    config = config_of(model)
    assert (config.domains, config.exclusive, config.trained_on["steps"]) == ([*COATS], True, 1)
    sheet = read_rgb(tmp_path / "run" / "samples" / "step-00000001.png")
    assert sheet.shape[1] // COLUMN == 1 + len(COATS)
    row = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"val_rec", "val_kernel", *(f"val_kernel_{coat}" for coat in COATS)} <= row.keys()
    assert (tmp_path / "run" / "model-best").is_dir()
    image = read_rgb(coats / "test" / "black" / "0006.png")
    brown, striped = (model(image, to=coat) for coat in ("brown", "striped"))
    assert not np.array_equal(brown, striped)


def test_a_run_on_a_table_of_attributes(faces: Path, tmp_path: Path) -> None:
    settings = {"labels": str(faces.parent / "list.csv"), "attributes": "young, blond"}
    model = train(faces, tmp_path / "run", steps=1, **settings)
    config = config_of(model)
    assert (config.domains, config.exclusive, config.in_channels) == (["young", "blond"], False, 1)
    assert read_rgb(tmp_path / "run" / "samples" / "step-00000001.png").shape[1] // COLUMN == 3
    with pytest.raises(TranslateError, match=r"'bald' is on for none of the 7 training images"):
        train(faces, tmp_path / "other", steps=1, **{**settings, "attributes": None})
    # A run that starts from the model takes its attributes, in their order.
    init = {"init": str(tmp_path / "run"), "labels": settings["labels"]}
    again = train(faces, tmp_path / "again", steps=1, lr=0, ema=0, **init)
    assert config_of(again).domains == ["young", "blond"]
    for first, second in zip(model.generator.parameters(), again.generator.parameters(), strict=True):
        assert first.equal(second)


def test_a_resumed_run_equals_an_uninterrupted_one_bitwise(coats: Path, tmp_path: Path) -> None:
    train(coats, tmp_path / "whole", steps=3, lr_schedule="constant")
    train(coats, tmp_path / "resumed", steps=1, lr_schedule="constant")
    translate.train("stargan", out=str(tmp_path / "resumed"), resume=True, steps=3)
    name = "checkpoints/step-00000003.safetensors"
    expected, resumed = (load_file(tmp_path / run / name) for run in ("whole", "resumed"))
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not expected[key].equal(resumed[key])] == []


def test_a_run_is_not_resumed_on_other_labels(faces: Path, tmp_path: Path) -> None:
    labels = faces.parent / "list.csv"
    train(faces, tmp_path / "run", steps=1, labels=str(labels), attributes="blond")
    labels.write_text(labels.read_text().replace("0.png,0", "0.png,1"))
    with pytest.raises(TranslateError, match="files"):
        translate.train("stargan", out=str(tmp_path / "run"), resume=True, steps=2)


def test_a_model_with_a_hostile_config_is_refused_in_one_line(coats: Path, tmp_path: Path) -> None:
    train(coats, tmp_path / "run", steps=1)
    path = tmp_path / "run" / "model" / "config.json"
    config = json.loads(path.read_text())
    changes = [
        {"domains": ["black", "brown", "../../striped"]},
        {"domains": ["black", "brown"]},
        {"exclusive": "perhaps"},
        {"generator": {"name": "stargan", "args": {"domains": 10**9}}},
        {"generator": {"name": "resnet", "args": {}}},
    ]
    for change in changes:
        path.write_text(json.dumps({**config, **change}))
        with pytest.raises(TranslateError) as raised:
            Model.from_pretrained(tmp_path / "run" / "model")
        assert "\n" not in str(raised.value)


def test_a_step_trains_the_critic_on_new_images_and_the_generator_on_the_last_of_them() -> None:
    c = StarGANConfig(**TINY, d_steps=3, domains=2, lambda_gp=0, lambda_cls=0)
    trainer = StarGAN(c)
    photos = torch.rand(3, 3, 16, 16) * 2 - 1
    updates: list[tuple[str, list[str]]] = []

    def handle(name: str, loss: Tensor, step: bool) -> None:
        loss.backward()
        trained = {key.partition(".")[0] for key, x in trainer.named_parameters() if x.grad is not None}
        updates.append((name, sorted(trained)))
        trainer.zero_grad()

    batch = {"photo": photos, "label": torch.tensor([[1, 0], [0, 1], [1, 0]])}
    losses = trainer.step(batch, Updates(handle), StepProgress())
    assert updates == [("d", ["d"])] * 3 + [("g", ["g"])]
    last = photos[2:]
    own = torch.tensor([[1.0, 0.0]])  # A batch of one image keeps its own label as the target.
    fake = trainer.g(last, own)
    assert losses["rec"].item() == pytest.approx((trainer.g(fake, own) - last).abs().mean().item(), rel=1e-5)
    assert losses["d"].item() == pytest.approx(
        (trainer.d(fake)[0].mean() - trainer.d(last)[0].mean()).item(), abs=1e-6
    )


@pytest.mark.parametrize(("size", "layers"), [(256, 6), (128, 6), (64, 5), (32, 4), (8, 2)])
def test_the_discriminator_halves_images_down_to_two_pixels_but_six_times_at_most(
    size: int, layers: int
) -> None:
    c = StarGANConfig(image_size=size, domains=3, ndf=1, ngf=1)
    with torch.device("meta"):
        scores, logits = StarGAN(c).d(torch.empty(1, 3, size, size))
    assert c.depth_d == layers
    assert (scores.shape[2], logits.shape) == (size >> layers, (1, 3))
