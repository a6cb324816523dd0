"""Export to ONNX, OpenVINO and torch.export: the same output as torch for every network and image size."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.inference.making import multi_domain_model
from translate.config import GeneratorSpec, ModelConfig
from translate.errors import TranslateError, UsageError
from translate.inference.runtime import export as exporting
from translate.inference.runtime.export import TOLERANCE, export
from translate.inference.runtime.formats import EXPORT_FORMATS, ExportFormat, import_openvino
from translate.inference.runtime.inputs import network_input
from translate.inference.runtime.tracing import trace_program
from translate.models import Model
from translate.networks import create_generator, initialize
from translate.networks.blocks import BatchNorm
from translate.networks.contextual_attention import contextual_attention

MakeModel = Callable[..., Model]

# The tests of each format also export the ResNet with instance norm of the fixture `tiny_model`.
SPECS = {
    "gray ResNet, batch norm with running statistics, blur and resize": GeneratorSpec(
        name="resnet",
        args={
            "in_channels": 1,
            "out_channels": 1,
            "width": 4,
            "depth": 1,
            "norm": "batch",
            "downsample": "blur",
            "upsample": "resize",
        },
    ),
    "U-Net, batch norm with image statistics, blur": GeneratorSpec(
        name="unet", args={"width": 4, "depth": 2, "norm": "batch", "upsample": "blur"}
    ),
    "identity": GeneratorSpec(name="identity"),
}


def create_model(case: str) -> Model:
    """Create a model whose norms have parameters and running statistics as after training."""
    spec = SPECS[case]
    statistics = "running" if "running" in case else "picture"
    torch.manual_seed(0)
    generator = create_generator(spec)
    initialize(generator, gain=0.2)
    for norm in generator.modules():
        if isinstance(norm, BatchNorm):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
    channels = {name: spec.args.get(name, 3) for name in ("in_channels", "out_channels")}
    multiple = generator.size_multiple
    config = ModelConfig(generator=spec, size_multiple=multiple, statistics=statistics, **channels)
    return Model(config, {"AtoB": generator}).requires_grad_(False)


def require_format(name: str) -> ExportFormat:
    """Return a format; skip the test if a package is missing.

    `pytest.importorskip` would start OpenVINO's telemetry by importing it.
    """
    if missing := EXPORT_FORMATS[name].missing_packages():
        pytest.skip(f"needs {missing}")
    return EXPORT_FORMATS[name]


@pytest.mark.parametrize("case", SPECS)
def test_every_network_agrees_with_torch_in_every_format(case: str) -> None:
    model = create_model(case)
    program = trace_program(model.generator(), model.config)
    for name in EXPORT_FORMATS:
        export_format = require_format(name)
        forward = export_format.load(export_format.convert(program, {}), torch.float32)
        for batch in network_input(model.config).random_batches():
            output = forward(*batch)
            assert output.dtype == torch.float32
            items = zip(*(x.split(1) for x in batch), strict=True)
            expected = torch.cat([model.generator()(*item) for item in items])
            torch.testing.assert_close(output, expected, atol=TOLERANCE, rtol=0)


class AttentionNetwork(torch.nn.Module):
    """A network with contextual attention, the only layer of its generator that other networks lack."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Conv2d(4, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.features(x)
        return contextual_attention(features, features, (x[:, 3:] > 0).to(x.dtype))[0]


def test_contextual_attention_agrees_with_torch_for_all_image_sizes() -> None:
    config = ModelConfig(kind="inpainting", in_channels=4, size_multiple=2)
    torch.manual_seed(0)
    network = AttentionNetwork().eval().requires_grad_(False)
    program = trace_program(network, config)
    for name in ("openvino", "torch"):  # ONNX takes as long as both, and took sizes that they refused.
        export_format = require_format(name)
        forward = export_format.load(export_format.convert(program, {}), torch.float32)
        for (images,) in network_input(config).random_batches():
            expected = network(images)
            assert expected.std() > 0.1  # There is something to fill holes with.
            torch.testing.assert_close(forward(images), expected, atol=TOLERANCE, rtol=0)


def test_a_model_of_several_domains_takes_the_label_as_an_input(tmp_path: Path) -> None:
    model = multi_domain_model("black", "brown", "striped").requires_grad_(False)
    program = trace_program(model.generator(), model.config)
    for name in ("openvino", "torch"):
        export_format = require_format(name)
        forward = export_format.load(export_format.convert(program, {}), torch.float32)
        images, labels = torch.rand(3, 3, 12, 20) * 2 - 1, torch.eye(3)
        expected = model.generator()(images, labels)
        assert (expected - model.generator()(images, labels.flip(0))).abs().max() > 10 * TOLERANCE
        torch.testing.assert_close(forward(images, labels), expected, atol=TOLERANCE, rtol=0)
    require_format("onnx")
    import onnx

    result = export(model, tmp_path / "model.onnx")
    assert 0 < result.difference < 1e-4
    proto = onnx.load(result.path)
    names = [[value.name for value in values] for values in (proto.graph.input, proto.graph.output)]
    assert names == [["picture", "label"], ["translated"]]
    metadata = {entry.key.removeprefix("translate."): entry.value for entry in proto.metadata_props}
    assert (metadata["domains"], metadata["exclusive"]) == ("black,brown,striped", "true")
    assert "direction" not in metadata


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_export_is_compared_for_every_domain(exclusive: bool) -> None:
    config = multi_domain_model(*(f"domain {n}" for n in range(9)), exclusive=exclusive).config
    labels = torch.cat([labels for _, labels in network_input(config).random_batches()])
    assert labels.any(dim=0).all()
    assert bool((labels.sum(dim=1) == 1).all()) == exclusive


def test_a_direction_is_refused_where_the_label_is_an_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--direction black") as error:
        export(multi_domain_model("black", "white"), tmp_path / "model.pt2", direction="black")
    assert "--to" not in str(error.value)  # Export has no such option.


def test_exports_are_compared_on_images_of_several_sizes() -> None:
    config = create_model("U-Net, batch norm with image statistics, blur").config
    shapes = [tuple(images.shape) for (images,) in network_input(config).random_batches()]
    assert shapes == [(1, 3, 8, 8), (1, 3, 128, 64), (2, 3, 64, 128)]


def test_an_onnx_file_has_the_metadata_needed_to_run_it(
    tiny_model: MakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    require_format("onnx")
    import onnx

    model = tiny_model(directions=("AtoB", "BtoA"))
    result = export(model, tmp_path / "new" / "model.onnx", direction="BtoA")
    assert (result.path, result.images) == (tmp_path / "new" / "model.onnx", 4)
    assert 0 < result.difference < 1e-4
    assert [path.name for path in result.path.parent.iterdir()] == ["model.onnx"]
    assert capfd.readouterr() == ("", "")
    proto = onnx.load(result.path)
    metadata = {entry.key.removeprefix("translate."): entry.value for entry in proto.metadata_props}
    assert metadata["direction"] == "BtoA"
    assert (metadata["value_range"], metadata["size_multiple"]) == ("-1..1", "4")
    assert metadata["fingerprint"] == model.fingerprint()
    assert metadata["version"]
    names = [[value.name for value in values] for values in (proto.graph.input, proto.graph.output)]
    assert names == [["picture"], ["translated"]]
    dimensions = [dim.dim_param for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    assert all(dimensions[n] for n in (0, 2, 3))
    operators = {node.op_type for node in proto.graph.node}
    assert "InstanceNormalization" in operators
    assert "Reshape" not in operators


def test_an_openvino_export_is_an_xml_and_a_bin_file(
    tiny_model: MakeModel, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_format("openvino")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    path = tmp_path / "model.xml"
    export(tiny_model("unet"), path)
    assert capfd.readouterr() == ("", "")
    assert {file.name for file in tmp_path.iterdir()} == {"home", "model.xml", "model.bin"}
    assert not list((tmp_path / "home").iterdir())  # OpenVINO's telemetry would store an id of the user here.
    model = import_openvino().Core().read_model(path)
    assert model.get_rt_info(["translate", "size_multiple"]).value == "8"
    assert model.inputs[0].names == {"picture"}
    assert model.outputs[0].names == {"translated"}
    operators = {op.get_type_name() for op in model.get_ops()}
    assert "MVN" in operators
    assert "GroupNormalization" not in operators


def test_a_torch_export_runs_with_torch_alone(tiny_model: MakeModel, tmp_path: Path) -> None:
    model = tiny_model()
    export(model, tmp_path / "model.pt2")
    metadata = {"translate.direction": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=metadata)
    assert metadata["translate.direction"] == "AtoB"
    x = torch.rand(3, 3, 16, 24)
    torch.testing.assert_close(program.module()(x), model.generator()(x), atol=1e-5, rtol=0)


def fake_format(forward: Callable[..., Any]) -> ExportFormat:
    files = {".xml": b"x", ".bin": b"b"}
    return ExportFormat((".xml", ".bin"), (), "", lambda *_: files, lambda *_: forward)


def test_an_export_that_does_not_agree_with_torch_is_not_written(
    tiny_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    monkeypatch.setattr(exporting, "trace_program", lambda *_: None)
    for forward, message in {
        lambda x: model.generator()(x) + 0.01: r"differs from torch by 1\.0e-02",
        lambda x: model.generator()(x) * float("nan"): "differs from torch by nan",
        lambda x: x[..., :8]: r"openvino: its output has shape \(",
        lambda x: 1 / 0: "openvino: division by zero",
    }.items():
        monkeypatch.setitem(EXPORT_FORMATS, "openvino", fake_format(forward))
        with pytest.raises(TranslateError, match=message) as refusal:
            export(model, tmp_path / "model.xml")
        assert "\n" not in str(refusal.value)
        assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_existing_files(
    tiny_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    monkeypatch.setattr(exporting, "trace_program", lambda *_: None)
    monkeypatch.setitem(EXPORT_FORMATS, "openvino", fake_format(model.generator()))
    (tmp_path / "model.xml").write_text("earlier")
    (tmp_path / "model.bin").write_text("earlier")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(TranslateError, match=r"model\.xml: No space left on device"):
            export(model, tmp_path / "model.xml", overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "model.xml": "earlier",
        "model.bin": "earlier",
    }
    export(model, tmp_path / "model.xml", overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "model.xml": "x",
        "model.bin": "b",
    }


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("model.bin", {}, r"\.onnx, \.xml, \.pt2: .*--format"),
        ("model.pt2", {"format": "onnx"}, r"model\.pt2 .*--format onnx: use \.onnx"),
        ("model", {"format": "openvino"}, r"model .*--format openvino: use \.xml"),
        ("model", {"format": "onxx"}, r"'onxx'.*'onnx'"),
        ("model.pt2", {"direction": "BtoA"}, r"'BtoA'.*AtoB"),
        ("existing.pt2", {}, r"existing\.pt2 .*--overwrite"),
    ],
)
def test_an_impossible_export_is_refused_before_the_conversion(
    name: str, settings: dict[str, str], message: str, tiny_model: MakeModel, tmp_path: Path
) -> None:
    (tmp_path / "existing.pt2").touch()
    with pytest.raises(UsageError, match=message):
        export(tiny_model(), tmp_path / name, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["existing.pt2"]


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [("onnx", "onnxscript", "onnx"), ("xml", "openvino", "openvino")]
)
def test_a_missing_package_is_refused_with_the_command_that_installs_it(
    suffix: str,
    package: str,
    extra: str,
    tiny_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"{package}.*: pip install 'translate-images\[{extra}\]'"):
        export(tiny_model(), tmp_path / f"model.{suffix}")
