"""A model's folder: there and back, and refused in one line where it is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from translate.config import ModelConfig
from translate.errors import DataError, TranslateError, UsageError
from translate.models import Model, pick_device, pick_precision
from translate.models.model import CONFIG, WEIGHTS
from translate.networks.blocks import BatchNorm

Make = Callable[..., Model]


@pytest.fixture
def folder(tiny_model: Make, tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path)
    return tmp_path


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**values, **changes}))


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(TranslateError) as refusal:
        Model.from_pretrained(folder)
    assert isinstance(refusal.value, DataError)
    assert "\n" not in str(refusal.value)
    for word in (str(folder), *words):
        assert word in str(refusal.value)


@pytest.mark.parametrize("directions", [("AtoB",), ("BtoA",), ("AtoB", "BtoA")])
@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_a_model_comes_back_from_its_folder(
    name: str, directions: tuple[str, ...], tiny_model: Make, tmp_path: Path
) -> None:
    model = tiny_model(name, directions)
    model.save_pretrained(tmp_path / "model")
    back = Model.from_pretrained(str(tmp_path / "model"))
    assert back.config.replace(version="") == model.config.replace(version="")
    x = torch.randn(1, 3, 16, 16)
    for direction in directions:
        assert torch.equal(back.generator(direction)(x), model.generator(direction)(x))
    assert not any(weight.requires_grad for weight in back.parameters())
    assert not any(module.training for module in back.modules())


def test_a_folder_holds_the_config_and_the_weights_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    assert json.loads((folder / CONFIG).read_text())["version"]


def test_weights_in_another_memory_format_are_saved_too(tiny_model: Make, tmp_path: Path) -> None:
    model = tiny_model().to(memory_format=torch.channels_last)
    model.save_pretrained(tmp_path)
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(Model.from_pretrained(tmp_path).generator()(x), model.generator()(x))


@pytest.mark.parametrize("statistics", ["picture", "running"])
def test_the_config_decides_what_batch_norm_uses(statistics: str, tiny_model: Make, tmp_path: Path) -> None:
    model = tiny_model("unet")
    Model(model.config.replace(statistics=statistics), dict(model.generators.items())).save_pretrained(
        tmp_path
    )
    norms = [module for module in Model.from_pretrained(tmp_path).modules() if isinstance(module, BatchNorm)]
    assert norms
    assert {norm.per_image for norm in norms} == {statistics == "picture"}


def test_the_first_direction_is_the_default_and_others_are_refused(tiny_model: Make) -> None:
    model = tiny_model(directions=("BtoA",))
    assert model.generator() is model.generator("BtoA")
    with pytest.raises(UsageError, match="direction 'AtoB': this model goes BtoA only"):
        model.generator("AtoB")


def test_a_folder_without_a_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model .*elsewhere': give a run, a model folder, or"):
        Model.from_pretrained(tmp_path / "elsewhere")
    (folder / WEIGHTS).unlink()
    with pytest.raises(UsageError, match="holds no model"):
        Model.from_pretrained(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b'{"generator": 3}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_config_is_refused(content: bytes, folder: Path) -> None:
    (folder / CONFIG).write_bytes(content)
    refused(folder, CONFIG)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"colour": "RGB"}, "colour"),
        ({"generator": {"name": "vit"}}, "vit"),
        ({"generator": {"name": "resnet", "args": {"width": 0}}}, "width"),
        ({"generator": {"name": "resnet", "args": {"depth": 10**9}}}, "depth"),
        ({"generator": {"name": "resnet", "args": {"levels": 3}}}, "levels"),
        ({"generator": {"name": "resnet", "args": {"norm": "layer"}}}, "layer"),
        ({"generator": {"name": "resnet", "args": {"width": "8"}}}, "width"),
        ({"generator": {"name": "resnet", "args": 3}}, "args"),
        ({"kind": "magic"}, "magic"),
        ({"format_version": 99}, "newer version"),
        ({"statistics": "batch"}, "batch"),
        ({"size_multiple": 0}, "size_multiple"),
        ({"routes": "AtoB"}, "routes"),
        ({"routes": {}}, "routes"),
        ({"routes": None}, "routes"),
        ({"routes": {"AtoB": {"target": "C", "generator": "AtoB"}}}, "'C'"),
        ({"routes": {"AtoB": {"source": "A", "target": "B", "generator": "A.B"}}}, "A.B"),
        ({"routes": {"AtoB": {"from": "A"}}}, "from"),
        ({"domains": [1]}, "domains"),
        ({"kind": ["translation"]}, "kind"),
        ({"generator": None}, "generator"),
        ({"generator": "unet"}, "generator"),
        ({"routes": {"AtoB": "B"}}, "AtoB"),
        ({"data_range": [1, 0]}, "data_range"),
        ({"data_range": "x"}, "data_range"),
        ({"trained_on": [1]}, "trained_on"),
        ({"format_version": True}, "format_version"),
        ({"format_version": 1}, "format_version"),
        ({"size_multiple": 3}, "multiples of 4"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_by_its_name(
    changes: dict[str, Any], word: str, folder: Path
) -> None:
    change_config(folder, **changes)
    refused(folder, CONFIG, word)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_damaged_weights_are_refused(size: int, folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:size])
    refused(folder, WEIGHTS, "damaged")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(value: float, folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = list(weights)[2]
    weights[name].view(-1)[1] = value
    save_file(weights, folder / WEIGHTS)
    refused(folder, WEIGHTS, name)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    values = json.loads((folder / CONFIG).read_text())
    args = {**values["generator"]["args"], "width": 8}
    change_config(folder, generator={**values["generator"], "args": args})
    refused(folder, WEIGHTS, "does not fit", "size mismatch")


@pytest.mark.parametrize("depth", [0, 2])
def test_weights_of_more_or_fewer_layers_are_refused(depth: int, folder: Path) -> None:
    values = json.loads((folder / CONFIG).read_text())
    args = {**values["generator"]["args"], "depth": depth}
    change_config(folder, generator={**values["generator"], "args": args})
    refused(folder, WEIGHTS, "does not fit")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_weights_of_another_precision_are_applied_in_float32(dtype: torch.dtype, folder: Path) -> None:
    save_file({k: v.to(dtype) for k, v in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS)
    x = torch.zeros(1, 3, 16, 16)
    assert Model.from_pretrained(folder).generator()(x).dtype == torch.float32


def test_a_full_disk_leaves_the_earlier_model_whole(
    folder: Path, tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TranslateError, match=r"^cannot write the model to .*: No space left on device$"):
        tiny_model("unet").save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_config_knows_its_own_defaults() -> None:
    assert list(ModelConfig().routes) == ["AtoB"]
    assert ModelConfig().generator.name == "resnet"


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "meta-cpu"])
def test_an_absent_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"device '{name}' is not on this machine"):
        pick_device(name)


def test_half_precision_needs_a_gpu_or_bf16() -> None:
    cpu = pick_device("cpu")
    with pytest.raises(
        UsageError, match="precision 'fp16' needs a GPU: on a CPU use --precision bf16 or fp32"
    ):
        pick_precision("fp16", cpu)
    assert str(pick_precision("bf16", cpu)) == "bf16"
    assert pick_precision("auto", cpu).dtype in (torch.float32, torch.bfloat16)
