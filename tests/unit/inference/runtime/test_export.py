"""A model in another program's format gives torch's answers, for every network and size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

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

Make = Callable[..., Model]

# Beside the fixture's resnet with an instance norm, which the tests of each format export.
SPECS = {
    "gray resnet, batch running, resize": GeneratorSpec(
        name="resnet",
        args={
            "in_channels": 1,
            "out_channels": 1,
            "width": 4,
            "depth": 1,
            "norm": "batch",
            "upsample": "resize",
        },
    ),
    "unet, batch image": GeneratorSpec(name="unet", args={"width": 4, "depth": 2, "norm": "batch"}),
    "identity": GeneratorSpec(name="identity"),
}


def build(case: str) -> Model:
    """A model whose norms have weights and statistics as training leaves them."""
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


def installed(name: str) -> ExportFormat:
    """A format, if its packages are there; not `importorskip`, for import starts OpenVINO's telemetry."""
    if missing := EXPORT_FORMATS[name].missing():
        pytest.skip(f"needs {missing}")
    return EXPORT_FORMATS[name]


@pytest.mark.parametrize("case", SPECS)
def test_every_network_gives_torchs_answers_in_every_format(case: str) -> None:
    model = build(case)
    program = trace_program(model.generator(), model.config)
    for name in EXPORT_FORMATS:
        kind = installed(name)
        run = kind.load(kind.convert(program, {}), torch.float32)
        for batch in network_input(model.config).random_batches():
            answer = run(batch)
            assert answer.dtype == torch.float32
            alone = torch.cat([model.generator()(frame) for frame in batch.split(1)])
            torch.testing.assert_close(answer, alone, atol=TOLERANCE, rtol=0)


def test_the_random_images_are_of_several_sizes() -> None:
    given = network_input(build("unet, batch image").config)
    shapes = [tuple(batch.shape) for batch in given.random_batches()]
    assert shapes == [(1, 3, 8, 8), (1, 3, 128, 64), (2, 3, 64, 128)]


def test_an_onnx_file_tells_how_it_is_used(
    tiny_model: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    installed("onnx")
    import onnx

    model = tiny_model(directions=("AtoB", "BtoA"))
    done = export(model, tmp_path / "new" / "model.onnx", direction="BtoA")
    assert (done.path, done.images) == (tmp_path / "new" / "model.onnx", 4)
    assert 0 < done.difference < 1e-4
    assert [path.name for path in done.path.parent.iterdir()] == ["model.onnx"]
    assert capfd.readouterr() == ("", "")
    proto = onnx.load(done.path)
    known = {fact.key.removeprefix("translate."): fact.value for fact in proto.metadata_props}
    assert known["direction"] == "BtoA"
    assert (known["value_range"], known["size_multiple"]) == ("-1..1", "4")
    assert known["fingerprint"] == model.fingerprint()
    assert known["version"]
    names = [[place.name for place in places] for places in (proto.graph.input, proto.graph.output)]
    assert names == [["picture"], ["translated"]]
    sides = [dim.dim_param for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    assert all(sides[n] for n in (0, 2, 3))
    kinds = {node.op_type for node in proto.graph.node}
    assert "InstanceNormalization" in kinds
    assert "Reshape" not in kinds


def test_openvino_gets_a_pair_of_files(
    tiny_model: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("openvino")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    path = tmp_path / "model.xml"
    export(tiny_model("unet"), path)
    assert capfd.readouterr() == ("", "")
    assert {file.name for file in tmp_path.iterdir()} == {"home", "model.xml", "model.bin"}
    assert not list((tmp_path / "home").iterdir())  # where its telemetry would keep a user's number
    found = import_openvino().Core().read_model(path)
    assert found.get_rt_info(["translate", "size_multiple"]).value == "8"
    assert found.inputs[0].names == {"picture"}
    assert found.outputs[0].names == {"translated"}
    kinds = {op.get_type_name() for op in found.get_ops()}
    assert "MVN" in kinds
    assert "GroupNormalization" not in kinds


def test_a_torch_export_needs_nothing_but_torch(tiny_model: Make, tmp_path: Path) -> None:
    model = tiny_model()
    export(model, tmp_path / "model.pt2")
    told = {"translate.direction": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=told)
    assert told["translate.direction"] == "AtoB"
    x = torch.rand(3, 3, 16, 24)
    torch.testing.assert_close(program.module()(x), model.generator()(x), atol=1e-5, rtol=0)


def fake(run: Callable[..., Any]) -> ExportFormat:
    return ExportFormat((".xml", ".bin"), (), "", lambda *_: {".xml": b"x", ".bin": b"b"}, lambda *_: run)


def test_answers_that_are_not_torchs_are_not_written(
    tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    monkeypatch.setattr(exporting, "trace_program", lambda *_: None)
    for run, message in {
        lambda x: model.generator()(x) + 0.01: r"not written, its greatest difference from torch is 1\.0e-02",
        lambda x: model.generator()(x) * float("nan"): "difference from torch is nan",
        lambda x: x[..., :8]: r"cannot be exported as openvino: it gives \(",
        lambda x: 1 / 0: "cannot be exported as openvino: division by zero",
    }.items():
        monkeypatch.setitem(EXPORT_FORMATS, "openvino", fake(run))
        with pytest.raises(TranslateError, match=message) as refusal:
            export(model, tmp_path / "model.xml")
        assert "\n" not in str(refusal.value)
        assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(
    tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    monkeypatch.setattr(exporting, "trace_program", lambda *_: None)
    monkeypatch.setitem(EXPORT_FORMATS, "openvino", fake(model.generator()))
    (tmp_path / "model.xml").write_text("earlier")
    (tmp_path / "model.bin").write_text("earlier")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "atomic_write", full)
        with pytest.raises(TranslateError, match=r"cannot write .*model\.xml: No space left on device"):
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
        ("model.bin", {}, r"give -o a suffix of \.onnx, \.xml, \.pt2, or --format"),
        ("model.pt2", {"format": "onnx"}, r"model\.pt2 is no name for onnx: end it in \.onnx"),
        ("model", {"format": "openvino"}, r"model is no name for openvino: end it in \.xml"),
        ("model", {"format": "onxx"}, "no format 'onxx'; did you mean 'onnx'"),
        ("model.pt2", {"direction": "BtoA"}, "direction 'BtoA': this model goes AtoB only"),
        ("there.pt2", {}, "there.pt2 is there already: give another -o, or --overwrite"),
    ],
)
def test_what_cannot_be_exported_is_refused_at_once(
    name: str, settings: dict[str, str], message: str, tiny_model: Make, tmp_path: Path
) -> None:
    (tmp_path / "there.pt2").touch()
    with pytest.raises(UsageError, match=message):
        export(tiny_model(), tmp_path / name, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["there.pt2"]


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [("onnx", "onnxscript", "onnx"), ("xml", "openvino", "openvino")]
)
def test_a_missing_package_is_told_with_its_remedy(
    suffix: str, package: str, extra: str, tiny_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"{package}.*: pip install 'translate-images\[{extra}\]'"):
        export(tiny_model(), tmp_path / f"model.{suffix}")
