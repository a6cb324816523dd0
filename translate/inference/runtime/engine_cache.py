"""Keep what was measured of a model's engines in the cache folder, from one start to the next."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

import torch

from translate.inference.runtime.formats import Files
from translate.storage import atomic_write, cache_folder
from translate.version import __version__

PACKAGES = ("torch", "openvino", "onnx", "onnxruntime", "onnxscript")
MAX_FILES = 16  # of converted models in the cache folder, of all models together


@dataclasses.dataclass(frozen=True)
class EngineStats:
    """How an engine compares with torch in float32.

    Attributes:
        seconds: for one image, the median.
        difference: the greatest, on [-1, 1].
        psnr: in dB, the least of the images.
        failure: why the engine cannot run the model, or nothing.
        digest: of the converted model's files.
    """

    seconds: float = 0.0
    difference: float = 0.0
    psnr: float = 0.0
    failure: str = ""
    digest: str = ""


class EngineCache:
    """The stats of one model, direction and precision, by engine, and its converted files.

    What is missing, damaged, or measured with other packages or on another CPU counts as not there;
    where the cache folder cannot be written, nothing is kept.

    Args:
        model: a name for what the model computes.
        precision: of the stats; the files serve every precision.
    """

    def __init__(self, model: str, precision: str) -> None:
        self.folder = cache_folder() / "engines"
        self.model = model
        self.path = self.folder / f"{model}-{precision}.json"
        self.environment = _environment()
        self.stats = self._read()

    def _read(self) -> dict[str, EngineStats]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["found with"] != self.environment:
                return {}
            found = {name: EngineStats(**values) for name, values in content["engines"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {name: stats for name, stats in found.items() if _has_right_types(stats)}

    def add(self, engine: str, stats: EngineStats) -> None:
        """Add an engine's stats to those on the disk."""
        self.stats[engine] = stats
        engines = {name: dataclasses.asdict(known) for name, known in self.stats.items()}
        content = json.dumps({"found with": self.environment, "engines": engines}, indent=2)
        with contextlib.suppress(OSError):
            atomic_write(self.path, content.encode())

    def read_files(self, engine: str, suffixes: tuple[str, ...]) -> Files | None:
        """Read the converted model that an engine's stats were measured with, if it is there and whole."""
        try:
            files = {suffix: self._file(suffix).read_bytes() for suffix in suffixes}
        except OSError:
            return None
        known = self.stats.get(engine)
        return files if known and known.digest == digest(files) else None

    def write_files(self, files: Files) -> None:
        """Write a converted model, and remove the oldest of those of all models."""
        with contextlib.suppress(OSError):
            for suffix, content in files.items():
                atomic_write(self._file(suffix), content)
            converted = [path for path in self.folder.iterdir() if path.suffix in (".onnx", ".xml", ".bin")]
            for path in sorted(converted, key=lambda path: path.stat().st_mtime)[:-MAX_FILES]:
                path.unlink()

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{self.model}{suffix}"


def digest(files: Files) -> str:
    """Return a short name for the content of files."""
    found = hashlib.sha256()
    for suffix in sorted(files):
        found.update(files[suffix])
    return found.hexdigest()[:32]


def _has_right_types(stats: EngineStats) -> bool:
    fields = dataclasses.fields(stats)
    return all(type(getattr(stats, field.name)) is type(field.default) for field in fields)


def _environment() -> dict[str, str]:
    """Return all that stats depend on beside the model."""
    return {
        "translate": __version__,
        **{name: _version(name) for name in PACKAGES},
        "cpu": _cpu(),
        "threads": str(torch.get_num_threads()),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    """Return the processor's name and the instructions that torch uses of it."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration, IndexError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
