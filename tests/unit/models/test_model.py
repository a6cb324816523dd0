"""Saving and loading a model folder, damaged folders, and the choice of device and mixed precision."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from translate.config import ModelConfig
from translate.errors import DataError, TranslateError, UsageError
from translate.models import Model, device, pick_device, pick_precision
from translate.models.model import CONFIG, WEIGHTS
from translate.networks.blocks import BatchNorm

MakeModel = Callable[..., Model]


@pytest.fixture
def folder(tiny_model: MakeModel, tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path)
    return tmp_path


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**values, **changes}))


def assert_refused(folder: Path, *words: str) -> None:
    with pytest.raises(DataError) as refusal:
        Model.from_pretrained(folder)
    assert "\n" not in str(refusal.value)
    for word in (str(folder), *words):
        assert word in str(refusal.value)


@pytest.mark.parametrize("directions", [("AtoB",), ("BtoA",), ("AtoB", "BtoA")])
@pytest.mark.parametrize("name", ["resnet", "unet"])
def test_a_loaded_model_gives_the_output_of_the_saved_one(
    name: str, directions: tuple[str, ...], tiny_model: MakeModel, tmp_path: Path
) -> None:
    model = tiny_model(name, directions)
    model.save_pretrained(tmp_path / "model")
    loaded = Model.from_pretrained(str(tmp_path / "model"))
    assert loaded.config.replace(version="") == model.config.replace(version="")
    x = torch.randn(1, 3, 16, 16)
    for direction in directions:
        assert torch.equal(loaded.generator(direction)(x), model.generator(direction)(x))
    assert not any(weight.requires_grad for weight in loaded.parameters())
    assert not any(module.training for module in loaded.modules())


def test_a_model_folder_contains_only_the_config_and_the_weights(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    assert json.loads((folder / CONFIG).read_text())["version"]


def test_weights_in_channels_last_format_can_be_saved(tiny_model: MakeModel, tmp_path: Path) -> None:
    model = tiny_model().to(memory_format=torch.channels_last)
    model.save_pretrained(tmp_path)
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(Model.from_pretrained(tmp_path).generator()(x), model.generator()(x))


@pytest.mark.parametrize("statistics", ["picture", "running"])
def test_the_config_sets_the_statistics_of_batch_norm(
    statistics: str, tiny_model: MakeModel, tmp_path: Path
) -> None:
    model = tiny_model("unet")
    Model(model.config.replace(statistics=statistics), dict(model.generators.items())).save_pretrained(
        tmp_path
    )
    norms = [module for module in Model.from_pretrained(tmp_path).modules() if isinstance(module, BatchNorm)]
    assert norms
    assert {norm.per_image for norm in norms} == {statistics == "picture"}


def test_the_first_direction_is_the_default_and_others_are_refused(tiny_model: MakeModel) -> None:
    model = tiny_model(directions=("BtoA",))
    assert model.generator() is model.generator("BtoA")
    with pytest.raises(UsageError, match=r"direction 'AtoB'.*BtoA"):
        model.generator("AtoB")


def test_a_folder_without_a_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model .*elsewhere'"):
        Model.from_pretrained(tmp_path / "elsewhere")
    (folder / WEIGHTS).unlink()
    with pytest.raises(UsageError, match="holds no model"):
        Model.from_pretrained(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b'{"generator": 3}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_config_is_refused(content: bytes, folder: Path) -> None:
    (folder / CONFIG).write_bytes(content)
    assert_refused(folder, CONFIG)


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
def test_an_invalid_config_is_refused_naming_the_setting(
    changes: dict[str, Any], word: str, folder: Path
) -> None:
    change_config(folder, **changes)
    assert_refused(folder, CONFIG, word)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_damaged_weights_are_refused(size: int, folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:size])
    assert_refused(folder, WEIGHTS, "damaged")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_with_nan_or_inf_are_refused(value: float, folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = list(weights)[2]
    weights[name].view(-1)[1] = value
    save_file(weights, folder / WEIGHTS)
    assert_refused(folder, WEIGHTS, name)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    values = json.loads((folder / CONFIG).read_text())
    args = {**values["generator"]["args"], "width": 8}
    change_config(folder, generator={**values["generator"], "args": args})
    assert_refused(folder, WEIGHTS, "does not fit", "size mismatch")


@pytest.mark.parametrize("depth", [0, 2])
def test_weights_of_more_or_fewer_layers_are_refused(depth: int, folder: Path) -> None:
    values = json.loads((folder / CONFIG).read_text())
    args = {**values["generator"]["args"], "depth": depth}
    change_config(folder, generator={**values["generator"], "args": args})
    assert_refused(folder, WEIGHTS, "does not fit")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_weights_of_another_dtype_are_loaded_as_float32(dtype: torch.dtype, folder: Path) -> None:
    save_file({k: v.to(dtype) for k, v in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS)
    x = torch.zeros(1, 3, 16, 16)
    assert Model.from_pretrained(folder).generator()(x).dtype == torch.float32


def test_a_full_disk_leaves_the_existing_model_unchanged(
    folder: Path, tiny_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TranslateError, match="No space left on device"):
        tiny_model("unet").save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_config_has_defaults() -> None:
    assert list(ModelConfig().routes) == ["AtoB"]
    assert ModelConfig().generator.name == "resnet"


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "meta-cpu"])
def test_an_absent_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"device '{name}'"):
        pick_device(name)


@pytest.mark.usefixtures("auto_device")
@pytest.mark.parametrize(("available", "name"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_if_there_is_one(available: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device.fastest_device() == name


def test_a_test_that_leaves_the_device_to_auto_fails() -> None:
    with pytest.raises(AssertionError, match="device='cpu'"):
        pick_device()


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'fp16'.*--precision bf16 or fp32"):
        pick_precision("fp16", torch.device("cpu"))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads the flags of an x86 processor")
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs Linux")
def test_auto_precision_on_a_cpu_is_bf16_if_it_has_the_instructions() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    name = "bf16" if {"avx512_bf16", "amx_tile"} & set(flags) else "fp32"
    assert str(pick_precision("auto", torch.device("cpu"))) == name


def test_mixed_precision_runs_convolutions_in_bf16_on_float32_weights() -> None:
    precision = pick_precision("bf16", torch.device("cpu"))
    conv, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    for network in (conv, precision.cast_weights(conv)):
        with precision.autocast():
            assert network(x).dtype == torch.bfloat16
    assert conv.weight.dtype == torch.float32
    assert precision.cast_weights(conv).weight.dtype == torch.bfloat16


def test_fp32_runs_convolutions_in_float32() -> None:
    precision = pick_precision("fp32", torch.device("cpu"))
    conv = nn.Conv2d(3, 4, 3)
    with precision.autocast():
        assert precision.cast_weights(conv)(torch.rand(1, 3, 8, 8)).dtype == torch.float32
