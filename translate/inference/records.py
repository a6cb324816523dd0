"""What was found out about a model's engines, kept in the cache folder from one start to the next."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

import torch

from translate.inference.formats import Files
from translate.storage import cache_folder, write_whole
from translate.version import __version__

PACKAGES = ("torch", "openvino", "onnx", "onnxruntime", "onnxscript")
KEPT = 16  # converted models' files, the newest, of all models together


@dataclasses.dataclass(frozen=True)
class Figures:
    """How an engine did against torch in float32.

    Args:
        seconds: for one picture, the median.
        difference: the greatest, on [-1, 1].
        psnr: in dB, the least of the pictures.
        failure: why the engine cannot run the model, or nothing.
        digest: of the converted model's files.
    """

    seconds: float = 0.0
    difference: float = 0.0
    psnr: float = 0.0
    failure: str = ""
    digest: str = ""


class Records:
    """The figures of one model, direction and precision, by engine, and its converted files.

    What is missing, damaged, or found with other packages or on another CPU counts as not there;
    where the cache folder cannot be written, nothing is kept.

    Args:
        model: a name for what the model computes.
        precision: of the figures; the files serve every precision.
    """

    def __init__(self, model: str, precision: str) -> None:
        self.folder = cache_folder() / "engines"
        self.model = model
        self.path = self.folder / f"{model}-{precision}.json"
        self.found_with = _surroundings()
        self.figures = self._read()

    def _read(self) -> dict[str, Figures]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["found with"] != self.found_with:
                return {}
            found = {name: Figures(**values) for name, values in content["engines"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {name: figures for name, figures in found.items() if _whole(figures)}

    def remember(self, engine: str, figures: Figures) -> None:
        """Add an engine's figures to those on the disk."""
        self.figures[engine] = figures
        engines = {name: dataclasses.asdict(known) for name, known in self.figures.items()}
        content = json.dumps({"found with": self.found_with, "engines": engines}, indent=2)
        with contextlib.suppress(OSError):
            write_whole(self.path, content.encode())

    def files(self, engine: str, suffixes: tuple[str, ...]) -> Files | None:
        """The converted model that an engine's figures were found with, if it is there and whole."""
        try:
            files = {suffix: self._file(suffix).read_bytes() for suffix in suffixes}
        except OSError:
            return None
        known = self.figures.get(engine)
        return files if known and known.digest == digest(files) else None

    def keep(self, files: Files) -> None:
        """Write a converted model, and drop the oldest of those of all models."""
        with contextlib.suppress(OSError):
            for suffix, content in files.items():
                write_whole(self._file(suffix), content)
            converted = [path for path in self.folder.iterdir() if path.suffix in (".onnx", ".xml", ".bin")]
            for path in sorted(converted, key=lambda path: path.stat().st_mtime)[:-KEPT]:
                path.unlink()

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{self.model}{suffix}"


def digest(files: Files) -> str:
    """A short name for the content of files."""
    found = hashlib.sha256()
    for suffix in sorted(files):
        found.update(files[suffix])
    return found.hexdigest()[:32]


def _whole(figures: Figures) -> bool:
    fields = dataclasses.fields(figures)
    return all(type(getattr(figures, field.name)) is type(field.default) for field in fields)


def _surroundings() -> dict[str, str]:
    """All that figures depend on beside the model."""
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
    """The processor's name and the instructions that torch uses of it."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration, IndexError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
