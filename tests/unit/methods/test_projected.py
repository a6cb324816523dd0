"""Training against a projected discriminator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import translate
from tests.backbones import tiny_backbone
from tests.images import demo
from tests.recorder import NoHostReads
from tests.updates import plain_updates
from translate.methods.registry import find_method
from translate.methods.trainer import StepProgress, Trainer
from translate.models.feature_networks import has_trained_with

SMALL = {"image_size": 32, "ngf": 4, "ndf": 2, "norm": "instance", "discriminator": "projected"}
OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "pix2pix": {},
    "cyclegan": {"blocks": 1},
    "colorize": {"lambda_gan": 1.0, "generator": "unet"},
    "inpaint": {"lambda_gan": 1.0},
}


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translate.methods.building.load_backbone", tiny_backbone)


def new(method: str, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    recipe = find_method(method)
    c = recipe.config_class()(**{**SMALL, **OWN_SETTINGS[method], **settings})
    return recipe.load_task().trainer(c)


def batch() -> dict[str, Tensor]:
    """Return a batch with everything that the methods take."""
    random = torch.Generator().manual_seed(1)
    a, b = (torch.rand(1, 3, 32, 32, generator=random) * 2 - 1 for _ in range(2))
    mask = torch.full((1, 1, 32, 32), -1.0)
    mask[..., 8:24, 8:24] = 1
    return {"a": a, "b": b, "photo": a, "mask": mask}


@pytest.mark.parametrize("method", OWN_SETTINGS)
def test_a_step_trains_the_heads_and_the_generator(method: str) -> None:
    trainer = new(method, gan_loss="hinge")
    for name in list(trainer.networks):
        assert not name.startswith("backbone")
    before = {name: value.clone() for name, value in trainer.state_dict().items()}
    update = plain_updates(trainer)
    trainer.step(batch(), update, StepProgress())  # The inpainter's last layer starts with zeros.
    with NoHostReads():
        trainer.step(batch(), update, StepProgress())
    changed = {name for name, value in trainer.state_dict().items() if not value.equal(before[name])}
    assert not [name for name in changed if ".projection." in name]
    for network in trainer.networks:
        assert [name for name in changed if name.startswith(f"{network}.")], network


def test_it_judges_the_output_alone() -> None:
    adversary = new("pix2pix").adversary
    a, b, other = batch()["a"], batch()["b"], batch()["b"].flip(3)
    with torch.no_grad():
        adversary.d.eval()  # Each forward pass in training is another step of the power iteration.
        score = torch.cat([s.flatten() for s in adversary.score(b, condition=a)])
        assert score.equal(torch.cat([s.flatten() for s in adversary.score(b, condition=other)]))
        assert not score.equal(torch.cat([s.flatten() for s in adversary.score(other, condition=a)]))


@pytest.mark.usefixtures("torch_engine_only")
def test_a_resumed_run_equals_an_uninterrupted_one_and_its_model_names_the_backbone(tmp_path: Path) -> None:
    tiny = {"image_size": 32, "ngf": 2, "ndf": 2, "levels": 2, "batch_size": 1, "workers": 0}
    settings = {**tiny, "device": "cpu", "norm": "instance", "lr_schedule": "constant"}
    settings |= {"discriminator": "projected", "lambda_r1": 1, "r1_every": 2}
    data, runs = demo(tmp_path / "data"), (tmp_path / "uninterrupted", tmp_path / "resumed")
    translate.train("pix2pix", data=str(data), out=str(runs[0]), steps=3, **settings)
    translate.train("pix2pix", data=str(data), out=str(runs[1]), steps=1, **settings)
    translate.train("pix2pix", out=str(runs[1]), resume=True, steps=3)
    expected, resumed = (load_file(run / "checkpoints" / "step-00000003.safetensors") for run in runs)
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not expected[key].equal(resumed[key])] == []
    assert not [key for key in expected if "backbone" in key]
    config = json.loads((runs[1] / "model" / "config.json").read_text())
    assert config["trained_on"]["discriminator_backbone"] == "mobilenet_v2"
    assert "gan_loss: hinge" in (runs[0] / "config.yaml").read_text()


@pytest.mark.usefixtures("torch_engine_only")
def test_a_model_names_the_backbones_of_the_models_that_it_started_from(tmp_path: Path) -> None:
    tiny = {"image_size": 32, "ngf": 2, "ndf": 2, "levels": 2, "batch_size": 1, "workers": 0, "d_layers": 1}
    data = demo(tmp_path / "data")

    def train(name: str, **settings: Any) -> Any:
        given = {**tiny, "device": "cpu", "norm": "instance", "data": str(data), "steps": 1, **settings}
        if given.get("discriminator") == "projected":
            del given["d_layers"]
        translate.train("pix2pix", out=str(tmp_path / name), **given)
        return config(name)["trained_on"].get("discriminator_backbone")

    def config(name: str) -> Any:
        return json.loads((tmp_path / name / "model" / "config.json").read_text())

    assert train("first", discriminator="projected") == "mobilenet_v2"
    assert train("second", init=str(tmp_path / "first")) == "mobilenet_v2"
    both = {"discriminator": "projected", "backbone": "efficientnet_b0", "init": str(tmp_path / "second")}
    assert train("third", **both) == ["efficientnet_b0", "mobilenet_v2"]
    model = translate.models.Model.from_pretrained(tmp_path / "third")
    assert has_trained_with(model, "MobileNetV2")
    assert not has_trained_with(model, "Inception")
    shutil.rmtree(tmp_path / "first")  # A resumed run needs neither this nor a model of its own.
    shutil.rmtree(tmp_path / "second" / "model")
    translate.train("pix2pix", out=str(tmp_path / "second"), resume=True, steps=2)
    assert config("second")["trained_on"]["steps"] == 2
    assert config("second")["trained_on"]["discriminator_backbone"] == "mobilenet_v2"
    # The new run takes the place of the one that it starts from.
    assert train("second", init=str(tmp_path / "second"), overwrite=True) == "mobilenet_v2"


def test_two_discriminators_share_one_frozen_backbone() -> None:
    trainer = new("cyclegan", gan_loss="hinge")
    assert trainer.d_a.backbone is trainer.d_b.backbone
    assert trainer.d_a.heads is not trainer.d_b.heads
