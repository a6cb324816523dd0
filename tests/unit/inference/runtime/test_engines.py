"""The choice of an inference engine: the fastest that agrees with torch, benchmarked once and cached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from translate.errors import UsageError
from translate.inference.runtime import engine_cache, engines
from translate.inference.runtime.engine_cache import EngineCache
from translate.inference.runtime.engines import find_engine, random_image
from translate.inference.runtime.formats import ExportFormat, Files
from translate.metrics import psnr
from translate.models import Model, Precision
from translate.storage import cache_folder

MakeModel = Callable[..., Model]
CPU = torch.device("cpu")
FP32, BF16 = Precision(CPU, torch.float32), Precision(CPU, torch.bfloat16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


class FakeLibrary:
    """A library that runs the generator in torch and adds `offset` to its output.

    With `available = False`, it can neither convert nor run a model again: only a cached one is of use.
    """

    def __init__(self, model: Model, suffix: str) -> None:
        self.model, self.suffix = model, suffix
        self.offset = 0.0
        self.available = True
        self.version = 0

    def format(self) -> ExportFormat:
        return ExportFormat((self.suffix,), (), "fake", self.convert, self.load)

    def convert(self, *_: object) -> Files:
        if not self.available:
            raise RuntimeError("converted again")
        self.version += 1
        return {self.suffix: f"conversion {self.version}".encode()}

    def load(self, files: Files, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        assert files[self.suffix].startswith(b"conversion")

        def forward(x: Tensor) -> Tensor:
            if not self.available:
                raise RuntimeError("run again")
            return self.model.generator()(x) + self.offset

        return forward


@pytest.fixture
def model(tiny_model: MakeModel) -> Model:
    return tiny_model().requires_grad_(False)


@pytest.fixture
def libraries(model: Model, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeLibrary]:
    """Two libraries that agree with torch; `openvino` is the fastest, torch the slowest."""
    fakes = {"openvino": FakeLibrary(model, ".xml"), "onnxruntime": FakeLibrary(model, ".onnx")}
    monkeypatch.setattr(engines, "LIBRARIES", {name: library.format() for name, library in fakes.items()})
    monkeypatch.setattr(engines, "trace_program", lambda *_: None)
    set_times(monkeypatch, [3.0, 1.0, 2.0] * 9)
    return fakes


def set_times(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> None:
    """Set the times of the benchmarks to come: torch's, then openvino's, then onnxruntime's."""
    times = iter(seconds)
    monkeypatch.setattr(engines, "median_seconds", lambda *_: next(times))


def engine_name(name: str, model: Model, direction: str | None, precision: Precision) -> str:
    engine = find_engine(name, model, direction, precision)
    return engine.name if engine else "torch"


def make_unavailable(libraries: dict[str, FakeLibrary]) -> None:
    for library in libraries.values():
        library.available = False


def test_auto_takes_the_fastest_engine_and_caches_the_benchmark(
    model: Model, libraries: dict[str, FakeLibrary], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine_name("auto", model, None, FP32) == "openvino"
    make_unavailable(libraries)
    set_times(monkeypatch, [])
    assert engine_name("auto", model, "AtoB", FP32) == "openvino"
    name = f"{model.fingerprint()}-AtoB"
    assert {path.name for path in cache.iterdir()} == {f"{name}-fp32.json", f"{name}.xml"}
    record = json.loads((cache / f"{name}-fp32.json").read_text())
    assert {engine: stats["seconds"] for engine, stats in record["engines"].items()} == {
        "torch": 3.0,
        "openvino": 1.0,
        "onnxruntime": 2.0,
    }
    assert record["found with"]["cpu"]


def test_auto_stays_with_torch_where_it_is_fastest(
    model: Model, libraries: dict[str, FakeLibrary], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_times(monkeypatch, [1.0, 3.0, 2.0])
    assert engine_name("auto", model, None, FP32) == "torch"
    set_times(monkeypatch, [])
    assert engine_name("auto", model, None, FP32) == "torch"


@pytest.mark.parametrize(
    ("precision", "offset", "chosen"),
    [
        (FP32, 9e-4, "openvino"),
        (FP32, 2e-3, "onnxruntime"),
        (FP32, float("nan"), "onnxruntime"),
        (BF16, 1e-2, "openvino"),
        # Not onnxruntime: it computes in float32 only.
        (BF16, 3e-2, "torch"),
        (BF16, float("nan"), "torch"),
    ],
)
def test_an_engine_whose_output_differs_from_torch_is_not_chosen(
    precision: Precision, offset: float, chosen: str, model: Model, libraries: dict[str, FakeLibrary]
) -> None:
    libraries["openvino"].offset = offset
    assert engine_name("auto", model, None, precision) == chosen
    libraries["openvino"].offset = 0.0  # The rejection is cached, too.
    assert engine_name("auto", model, None, precision) == chosen


def test_a_requested_engine_whose_output_differs_from_torch_is_refused(
    model: Model, libraries: dict[str, FakeLibrary]
) -> None:
    for library in libraries.values():
        library.offset = 0.04
    for engine, precision, reason in [
        ("openvino", FP32, r"0\.04 \(at most 0\.001 "),
        ("openvino", BF16, r"34\.0 dB .*\(at least 40 dB "),
        ("onnxruntime", BF16, r"0\.04 \(at most 0\.001 "),
    ]:
        for _ in range(2):  # The second time, from the cache.
            with pytest.raises(UsageError, match=rf"'{engine}' .*{reason}.*--engine torch"):
                find_engine(engine, model, None, precision)
    assert engine_name("auto", model, None, FP32) == "torch"


def test_a_requested_engine_is_checked_once(model: Model, libraries: dict[str, FakeLibrary]) -> None:
    assert engine_name("onnxruntime", model, None, FP32) == "onnxruntime"
    make_unavailable(libraries)
    assert engine_name("onnxruntime", model, None, FP32) == "onnxruntime"


@pytest.mark.parametrize("failure", ["conversion", "nondeterministic"])
def test_an_engine_that_fails_is_not_chosen(
    failure: str, model: Model, libraries: dict[str, FakeLibrary], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = libraries["openvino"]

    def convert(*_: object) -> Files:
        raise RuntimeError("no such layer\n  in line 3")

    def load(*_: object) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.rand_like(x)

    functions = {"conversion": (convert, library.load), "nondeterministic": (library.convert, load)}[failure]
    monkeypatch.setitem(engines.LIBRARIES, "openvino", ExportFormat((".xml",), (), "", *functions))
    assert engine_name("auto", model, None, FP32) == "onnxruntime"
    reason = {"conversion": r"\(no such layer\)", "nondeterministic": "output for the same image"}[failure]
    with pytest.raises(UsageError, match=f"'openvino' cannot run this model.*{reason}"):
        find_engine("openvino", model, None, FP32)


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "no record": lambda record, file: record.unlink(),
    "an empty record": lambda record, file: record.write_bytes(b""),
    "a truncated record": lambda record, file: record.write_bytes(record.read_bytes()[:99]),
    "a list": lambda record, file: record.write_text("[1, 2]"),
    "text for a number": lambda record, file: record.write_text(
        record.read_text().replace('"seconds": 3.0', '"seconds": "3.0"')
    ),
    "another version of torch": lambda record, file: record.write_text(
        record.read_text().replace('"torch": "', '"torch": "9')
    ),
    "no file": lambda record, file: file.unlink(),
    "a truncated file": lambda record, file: file.write_bytes(file.read_bytes()[:5]),
    "another file": lambda record, file: file.write_bytes(b"conversion 0"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_entry_is_replaced(
    damage: str, model: Model, libraries: dict[str, FakeLibrary], cache: Path
) -> None:
    find_engine("openvino", model, None, FP32)
    (record,), (file,) = cache.glob("*.json"), cache.glob("*.xml")
    DAMAGE[damage](record, file)
    assert engine_name("openvino", model, None, FP32) == "openvino"
    assert file.read_bytes() == b"conversion 2"
    make_unavailable(libraries)
    assert engine_name("openvino", model, None, FP32) == "openvino"


def test_a_cached_model_that_cannot_be_loaded_is_converted_again(
    model: Model, libraries: dict[str, FakeLibrary], cache: Path
) -> None:
    find_engine("openvino", model, None, FP32)
    load, results = engines.LIBRARIES["openvino"].load, iter([False, True])

    def fail_once(files: Files, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        if next(results):
            return load(files, dtype)
        raise RuntimeError("another version's file")

    engines.LIBRARIES["openvino"] = replace(engines.LIBRARIES["openvino"], load=fail_once)
    assert engine_name("openvino", model, None, FP32) == "openvino"
    (file,) = cache.glob("*.xml")
    assert file.read_bytes() == b"conversion 2"


def test_engines_work_without_a_writable_cache(
    model: Model, libraries: dict[str, FakeLibrary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file"))
    assert cache_folder() == tmp_path / "file"
    assert engine_name("auto", model, None, FP32) == "openvino"
    assert engine_name("auto", model, None, FP32) == "openvino"


def test_the_least_recently_used_models_are_removed_from_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_cache, "MAX_BYTES", 2)
    caches = {name: EngineCache(name, "fp32") for name in ("a", "b", "c")}
    for modified, name in enumerate(("a", "b")):
        caches[name].write_files({".xml": b"x"})
        os.utime(cache / f"{name}.xml", (modified, modified))
    caches["a"].read_files("openvino", (".xml",))
    caches["c"].write_files({".xml": b"x"})
    assert {path.name for path in cache.iterdir()} == {"a.xml", "c.xml"}


def test_unknown_engines_missing_packages_and_other_devices_are_refused(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Precision(torch.device("cuda"), torch.float32)
    assert find_engine("torch", model, None, FP32) is None
    assert find_engine("auto", model, None, gpu) is None
    with pytest.raises(UsageError, match=r"'openvino' .*not on cuda.*--device cpu"):
        find_engine("openvino", model, None, gpu)
    with pytest.raises(UsageError, match=r"'openvnio'.*'openvino'"):
        find_engine("openvnio", model, None, FP32)
    for package in ("openvino", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    assert find_engine("auto", model, None, FP32) is None
    with pytest.raises(UsageError, match=r"needs onnxruntime: pip install 'translate-images\[onnx\]'"):
        find_engine("onnxruntime", model, None, FP32)


@pytest.mark.parametrize(("name", "precision"), [("openvino", BF16), ("onnxruntime", FP32)])
def test_a_real_engine_agrees_with_torch_and_is_deterministic(
    name: str, precision: Precision, tiny_model: MakeModel, capfd: pytest.CaptureFixture[str]
) -> None:
    if missing := engines.LIBRARIES[name].missing_packages():
        pytest.skip(f"needs {missing}")
    model = tiny_model("unet").requires_grad_(False)
    engine = find_engine(name, model, None, precision)
    cached = find_engine(name, model, None, precision)
    assert engine
    assert cached
    images = [random_image(3, height, width, seed=0) for height, width in ((8, 8), (64, 40), (16, 200))]
    for image in (*images, *images):
        output = engine(image)
        assert output.dtype == torch.float32
        assert psnr(output, model.generator()(image), data_range=2) > 40
        assert torch.equal(output, cached(image))
    batch = torch.cat([images[1], images[1].flip(3)])
    assert torch.equal(engine(batch)[:1], engine(images[1]))
    assert capfd.readouterr() == ("", "")


def test_importing_inference_imports_no_engine() -> None:
    code = "import sys, translate.inference; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"openvino", "onnx", "onnxruntime", "onnxscript"} & set(modules.stdout.split())
