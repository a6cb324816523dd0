"""An on-disk cache of engine benchmarks and of the models converted for these engines."""

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
from translate.storage import LRUFolder, atomic_write
from translate.version import __version__

# The packages whose versions a cached entry depends on.
PACKAGES = ("torch", "openvino", "onnx", "onnxruntime", "onnxscript")
MAX_BYTES = 2 * 10**9  # The limit for all converted models in the cache folder.


@dataclasses.dataclass(frozen=True)
class EngineStats:
    """The speed of an engine on one model, and its error relative to torch in float32.

    Attributes:
        seconds: median time per image.
        difference: maximum absolute difference from torch's output, on the scale [-1, 1].
        psnr: PSNR against torch's output in dB, the minimum over the test images.
        failure: why the engine cannot run the model; empty if it can.
        digest: hash of the converted model's files.
    """

    seconds: float = 0.0
    difference: float = 0.0
    psnr: float = 0.0
    failure: str = ""
    digest: str = ""


class EngineCache:
    """The cached stats of one model, direction and precision by engine, and the model's converted files.

    An entry that is missing, damaged, or measured on another CPU or with other package versions is ignored.
    If the cache folder cannot be written, nothing is stored.

    Args:
        model: a key for the computation, made from the model's fingerprint and direction.
        precision: the precision of the stats; converted files are shared by all precisions.
    """

    def __init__(self, model: str, precision: str) -> None:
        self.folder = LRUFolder("engines", (".onnx", ".xml", ".bin"))
        self.model = model
        self.path = self.folder.file(f"{model}-{precision}", ".json")
        self.environment = _describe_environment()
        self.stats = self._read()

    def _read(self) -> dict[str, EngineStats]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["found with"] != self.environment:
                return {}
            entries = {name: EngineStats(**values) for name, values in content["engines"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {name: stats for name, stats in entries.items() if _has_right_types(stats)}

    def add(self, engine: str, stats: EngineStats) -> None:
        """Add an engine's stats and write the cache file."""
        self.stats[engine] = stats
        engines = {name: dataclasses.asdict(entry) for name, entry in self.stats.items()}
        content = json.dumps({"found with": self.environment, "engines": engines}, indent=2)
        with contextlib.suppress(OSError):
            atomic_write(self.path, content.encode())

    def read_files(self, engine: str, suffixes: tuple[str, ...]) -> Files | None:
        """Read the converted model that an engine's stats belong to; None if it is missing or damaged."""
        try:
            files = {suffix: self.folder.file(self.model, suffix).read_bytes() for suffix in suffixes}
            self.folder.mark_used(self.model)
        except OSError:
            return None
        stats = self.stats.get(engine)
        return files if stats and stats.digest == hash_files(files) else None

    def write_files(self, files: Files) -> None:
        """Write a converted model; the least recently used ones make room for it."""
        with contextlib.suppress(OSError):
            for suffix, content in files.items():
                atomic_write(self.folder.file(self.model, suffix), content)
            self.folder.evict(MAX_BYTES, keep=self.model)


def hash_files(files: Files) -> str:
    """Return a hash of the content of files, independent of their order."""
    sha256 = hashlib.sha256()
    for suffix in sorted(files):
        sha256.update(files[suffix])
    return sha256.hexdigest()[:32]


def _has_right_types(stats: EngineStats) -> bool:
    fields = dataclasses.fields(stats)
    return all(type(getattr(stats, field.name)) is type(field.default) for field in fields)


def _describe_environment() -> dict[str, str]:
    """Return everything beside the model that stats depend on: package versions, CPU, number of threads."""
    return {
        "translate": __version__,
        **{name: _installed_version(name) for name in PACKAGES},
        "cpu": _cpu_name(),
        "threads": str(torch.get_num_threads()),
    }


def _installed_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_name() -> str:
    """Return the processor's model name and the instruction set that torch uses on it."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration, IndexError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
