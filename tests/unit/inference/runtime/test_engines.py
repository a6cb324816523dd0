"""Another library runs a network only where it gives torch's answers; what was found is remembered."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from translate.errors import UsageError
from translate.inference.runtime import engine_cache, engines
from translate.inference.runtime.engines import find_engine, psnr, random_image
from translate.inference.runtime.formats import ExportFormat, Files
from translate.models import Model, Precision
from translate.storage import cache_folder

Make = Callable[..., Model]
CPU = torch.device("cpu")
FP32, BF16 = Precision(CPU, torch.float32), Precision(CPU, torch.bfloat16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


class Library:
    """Stands in for another library: it runs the generator itself, `offset` beside the truth."""

    def __init__(self, model: Model, suffix: str) -> None:
        self.model, self.suffix = model, suffix
        self.offset = 0.0
        self.conversions = self.runs = 0

    def format(self) -> ExportFormat:
        return ExportFormat((self.suffix,), (), "fake", self.convert, self.load)

    def convert(self, *_: object) -> Files:
        self.conversions += 1
        return {self.suffix: f"conversion {self.conversions}".encode()}

    def load(self, files: Files, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        assert files[self.suffix].startswith(b"conversion")

        def run(x: Tensor) -> Tensor:
            self.runs += 1
            return self.model.generator()(x) + self.offset

        return run


@pytest.fixture
def model(tiny_model: Make) -> Model:
    return tiny_model().requires_grad_(False)


@pytest.fixture
def libraries(model: Model, monkeypatch: pytest.MonkeyPatch) -> dict[str, Library]:
    """Two libraries that agree with torch; `openvino` counts as the quickest, torch as the slowest."""
    made = {"openvino": Library(model, ".xml"), "onnxruntime": Library(model, ".onnx")}
    monkeypatch.setattr(engines, "LIBRARIES", {name: library.format() for name, library in made.items()})
    monkeypatch.setattr(engines, "trace_program", lambda *_: None)
    times = iter([3.0, 1.0, 2.0] * 9)
    monkeypatch.setattr(engines, "median_seconds", lambda *_: next(times))
    return made


def found(*arguments: Any) -> str:
    engine = find_engine(*arguments)
    return engine.name if engine else "torch"


def conversions(libraries: dict[str, Library]) -> list[int]:
    return [library.conversions for library in libraries.values()]


def test_the_quickest_that_agrees_is_taken_and_remembered(
    model: Model, libraries: dict[str, Library], cache: Path
) -> None:
    assert found("auto", model, None, FP32) == "openvino"
    runs = libraries["openvino"].runs
    assert found("auto", model, "AtoB", FP32) == "openvino"
    assert conversions(libraries) == [1, 1]
    assert libraries["openvino"].runs == runs
    name = f"{model.fingerprint()}-AtoB"
    assert {path.name for path in cache.iterdir()} == {f"{name}-fp32.json", f"{name}.xml"}
    told = json.loads((cache / f"{name}-fp32.json").read_text())
    assert {engine: stats["seconds"] for engine, stats in told["engines"].items()} == {
        "torch": 3.0,
        "openvino": 1.0,
        "onnxruntime": 2.0,
    }
    assert told["found with"]["cpu"]


def test_torch_stays_where_it_is_quickest(
    model: Model, libraries: dict[str, Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1.0, 3.0, 2.0])
    monkeypatch.setattr(engines, "median_seconds", lambda *_: next(times))
    assert found("auto", model, None, FP32) == "torch"
    assert found("auto", model, None, FP32) == "torch"
    assert conversions(libraries) == [1, 1]


@pytest.mark.parametrize(
    ("precision", "offset", "taken"),
    [
        (FP32, 9e-4, "openvino"),
        (FP32, 2e-3, "onnxruntime"),
        (FP32, float("nan"), "onnxruntime"),
        (BF16, 1e-2, "openvino"),
        (BF16, 3e-2, "torch"),
        (BF16, float("nan"), "torch"),
    ],
)
def test_an_engine_that_gives_other_answers_is_left_out(
    precision: Precision, offset: float, taken: str, model: Model, libraries: dict[str, Library]
) -> None:
    libraries["openvino"].offset = offset
    assert found("auto", model, None, precision) == taken
    assert found("auto", model, None, precision) == taken
    assert conversions(libraries) == [1, precision == FP32]  # onnxruntime has no bfloat16


def test_an_engine_asked_for_is_refused_with_its_figure(model: Model, libraries: dict[str, Library]) -> None:
    for library in libraries.values():
        library.offset = 0.04
    for engine, precision, figure in [
        ("openvino", FP32, r"is up to 0\.04 off torch's answer \(0\.001 is allowed\)"),
        ("openvino", BF16, r"is 34\.0 dB from torch's answer \(at least 40 dB is asked for\)"),
        ("onnxruntime", BF16, r"is up to 0\.04 off"),
    ]:
        for _ in range(2):
            with pytest.raises(UsageError, match=rf"engine '{engine}' {figure}.*use --engine torch"):
                find_engine(engine, model, None, precision)
    assert conversions(libraries) == [2, 1]
    assert found("auto", model, None, FP32) == "torch"


def test_an_engine_asked_for_is_checked_once(model: Model, libraries: dict[str, Library]) -> None:
    for _ in range(2):
        assert found("onnxruntime", model, None, FP32) == "onnxruntime"
    assert conversions(libraries) == [0, 1]


@pytest.mark.parametrize("kind", ["raises", "changes its mind"])
def test_an_engine_that_fails_is_left_out(
    kind: str, model: Model, libraries: dict[str, Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = libraries["openvino"]

    def convert(*_: object) -> Files:
        library.offset = 1.0
        raise RuntimeError("no such layer\n  in line 3")

    def load(*_: object) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.rand_like(x)

    broken = {"raises": (convert, library.load), "changes its mind": (library.convert, load)}[kind]
    monkeypatch.setitem(engines.LIBRARIES, "openvino", ExportFormat((".xml",), (), "", *broken))
    assert found("auto", model, None, FP32) == "onnxruntime"
    said = {"raises": r"\(no such layer\)", "changes its mind": "the same image two answers"}[kind]
    with pytest.raises(UsageError, match=f"engine 'openvino' cannot run this model.*{said}"):
        find_engine("openvino", model, None, FP32)


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "no record": lambda record, file: record.unlink(),
    "an empty record": lambda record, file: record.write_bytes(b""),
    "half a record": lambda record, file: record.write_bytes(record.read_bytes()[:99]),
    "a list": lambda record, file: record.write_text("[1, 2]"),
    "text for a number": lambda record, file: record.write_text(
        record.read_text().replace('"seconds": 3.0', '"seconds": "3.0"')
    ),
    "other packages": lambda record, file: record.write_text(
        record.read_text().replace('"torch": "', '"torch": "9')
    ),
    "no file": lambda record, file: file.unlink(),
    "half a file": lambda record, file: file.write_bytes(file.read_bytes()[:5]),
    "another file": lambda record, file: file.write_bytes(b"conversion 0"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_in_the_cache_counts_as_not_there(
    damage: str, model: Model, libraries: dict[str, Library], cache: Path
) -> None:
    find_engine("openvino", model, None, FP32)
    (record,), (file,) = cache.glob("*.json"), cache.glob("*.xml")
    DAMAGE[damage](record, file)
    assert found("openvino", model, None, FP32) == "openvino"
    assert libraries["openvino"].conversions == 2
    assert found("openvino", model, None, FP32) == "openvino"
    assert libraries["openvino"].conversions == 2


def test_a_kept_model_that_no_longer_loads_is_made_anew(model: Model, libraries: dict[str, Library]) -> None:
    find_engine("openvino", model, None, FP32)
    load, tries = engines.LIBRARIES["openvino"].load, iter([False, True])

    def fails_once(files: Files, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        if next(tries):
            return load(files, dtype)
        raise RuntimeError("another version's file")

    engines.LIBRARIES["openvino"] = replace(engines.LIBRARIES["openvino"], load=fails_once)
    assert found("openvino", model, None, FP32) == "openvino"
    assert libraries["openvino"].conversions == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    model: Model, libraries: dict[str, Library], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file"))
    assert cache_folder() == tmp_path / "file"
    assert found("auto", model, None, FP32) == "openvino"
    assert found("auto", model, None, FP32) == "openvino"


def test_the_oldest_converted_models_are_dropped(tiny_model: Make, cache: Path) -> None:
    for n in range(engine_cache.MAX_FILES + 2):
        engine_cache.EngineCache(f"model{n}", "fp32").write_files({".xml": b"x"})
        stamp = time.time() - 100 + n

        os.utime(cache / f"model{n}.xml", (stamp, stamp))
    assert len(list(cache.iterdir())) == engine_cache.MAX_FILES
    assert not (cache / "model0.xml").exists()


def test_names_and_devices_that_cannot_be_are_refused(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Precision(torch.device("cuda"), torch.float32)
    assert find_engine("torch", model, None, FP32) is None
    assert find_engine("auto", model, None, gpu) is None
    with pytest.raises(UsageError, match="engine 'openvino' runs on the CPU, not on cuda: use --device cpu"):
        find_engine("openvino", model, None, gpu)
    with pytest.raises(UsageError, match="no engine 'openvnio'; did you mean 'openvino'"):
        find_engine("openvnio", model, None, FP32)
    for package in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    assert find_engine("auto", model, None, FP32) is None
    with pytest.raises(UsageError, match=r"needs onnxruntime: pip install 'translate-images\[onnx\]'"):
        find_engine("onnxruntime", model, None, FP32)


@pytest.mark.parametrize(("name", "precision"), [("openvino", BF16), ("onnxruntime", FP32)])
def test_a_real_engine_answers_as_torch_does_and_always_alike(
    name: str, precision: Precision, tiny_model: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    if missing := engines.LIBRARIES[name].missing():
        pytest.skip(f"needs {missing}")
    model = tiny_model("unet").requires_grad_(False)
    engine = find_engine(name, model, None, precision)
    again = find_engine(name, model, None, precision)  # from the cache
    assert engine
    assert again
    frames = [random_image(3, height, width, seed=0) for height, width in ((8, 8), (64, 40), (16, 200))]
    for frame in (*frames, *frames):
        answer = engine(frame)
        assert answer.dtype == torch.float32
        assert psnr(answer, model.generator()(frame)) > 40
        assert torch.equal(answer, again(frame))
    batch = torch.cat([frames[1], frames[1].flip(3)])
    assert torch.equal(engine(batch)[:1], engine(frames[1]))
    assert capfd.readouterr() == ("", "")


def test_importing_inference_imports_no_other_library() -> None:
    for path in Path(engines.__file__).parent.glob("*.py"):
        top = ast.parse(path.read_text(encoding="utf-8")).body
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
        assert not {name.split(".")[0] for name in names} & set(engine_cache.PACKAGES[1:]), path
