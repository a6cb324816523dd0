"""Write a generator as a file for other programs, run and compared with torch before."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from translate.errors import TranslateError, UsageError, nearest
from translate.inference.runtime.formats import EXPORT_FORMATS, Files, Metadata, Run, first_line
from translate.inference.runtime.inputs import network_input
from translate.inference.runtime.tracing import trace_program
from translate.models import Model
from translate.storage import atomic_write
from translate.version import __version__

TOLERANCE = 1e-3  # on [-1, 1], where a level of 8 bits is 8e-3
BY_SUFFIX = {kind.suffixes[0]: name for name, kind in EXPORT_FORMATS.items()}


@dataclass(frozen=True)
class ExportResult:
    """A file, and its greatest difference from torch in float32 over a number of random images."""

    path: Path
    difference: float
    images: int


def export(
    model: Model,
    path: Path,
    *,
    format: str | None = None,
    direction: str | None = None,
    overwrite: bool = False,
) -> ExportResult:
    """Write one direction of a model as ONNX, as OpenVINO IR (.xml and .bin) or as torch.export's .pt2.

    The input is called `picture`, the output `translated`: (N, C, H, W) float32 in [-1, 1], for
    any N, and any H and W that are multiples of the model's size multiple, at least 8. A model that
    starts from noise takes `noise`, (N, inputs), and gives `picture`; the metadata says what its inputs
    are, in order.

    Args:
        format: `onnx`, `openvino` or `torch`; by default what the suffix of `path` says.
        direction: the name of a route, by default the model's first.

    Raises:
        UsageError: the suffix is not the format's, a package is not installed, the file is there
            already, or the model does not go in that direction.
        TranslateError: the format cannot hold the model, gives other answers than torch, or the
            file cannot be written. Nothing is left behind.
    """
    name = _format_name(path, format)
    EXPORT_FORMATS[name].require(f"format {name!r}")
    model.generator(direction)
    if not overwrite:
        _refuse_existing(path, name)
    try:
        files, difference, images = _convert(model, name, direction)
    except Exception as error:  # libraries raise errors of any kind
        raise TranslateError(
            f"{path}: this model cannot be exported as {name}: {first_line(error)}"
        ) from error
    if not difference <= TOLERANCE:  # NaN is not
        raise TranslateError(
            f"{path}: not written, its greatest difference from torch is {difference:.1e} "
            f"(tolerance {TOLERANCE:g}): try another --format"
        )
    _write(path, name, files)
    return ExportResult(path, difference, images)


def _format_name(path: Path, given: str | None) -> str:
    """Return the name of the format that is asked for, which the suffix must not contradict."""
    by_suffix = BY_SUFFIX.get(path.suffix.lower())
    if given is None:
        if by_suffix is None:
            raise UsageError(f"{path}: give -o a suffix of {', '.join(BY_SUFFIX)}, or --format")
        return by_suffix
    if given not in EXPORT_FORMATS:
        raise UsageError(f"no format {given!r}{nearest(given, EXPORT_FORMATS)}")
    if by_suffix not in (None, given) or (given == "openvino" and by_suffix is None):
        raise UsageError(f"{path} is no name for {given}: end it in {EXPORT_FORMATS[given].suffixes[0]}")
    return given


def _paths_by_suffix(path: Path, name: str) -> dict[str, Path]:
    """Return where each file goes, by suffix; the one that the user names comes last."""
    first, *others = EXPORT_FORMATS[name].suffixes
    return {**{suffix: path.with_suffix(suffix) for suffix in others}, first: path}


def _refuse_existing(path: Path, name: str) -> None:
    for place in _paths_by_suffix(path, name).values():
        if place.exists():
            raise UsageError(f"{place} is there already: give another -o, or --overwrite")


def _convert(model: Model, name: str, direction: str | None) -> tuple[Files, float, int]:
    """Return the files' content, its greatest difference from torch, and over how many images."""
    program = trace_program(model.generator(direction), model.config)
    files = EXPORT_FORMATS[name].convert(program, describe(model, direction))
    batches = network_input(model.config).random_batches()
    run = EXPORT_FORMATS[name].load(files, torch.float32)
    differences = torch.stack([_difference(run, model.generator(direction), batch) for batch in batches])
    return files, float(differences.max()), sum(map(len, batches))


@torch.inference_mode()
def _difference(run: Run, generator: torch.nn.Module, batch: Tensor) -> Tensor:
    """Compare a batch, run at once, with torch's answer to each of its items by itself."""
    truth = torch.cat([generator(item) for item in batch.unsqueeze(1)])
    answer = run(batch)
    if answer.shape != truth.shape:
        raise ValueError(f"it gives {tuple(answer.shape)} where torch gives {tuple(truth.shape)}")
    return (answer - truth).abs().max()


def describe(model: Model, direction: str | None) -> Metadata:
    """Return what a program that runs the file must know, for the file's metadata."""
    known = {
        **network_input(model.config).metadata(model.direction(direction)),
        "value_range": model.config.value_range,
        "recipe": model.config.method,
        "fingerprint": model.fingerprint(),
        "version": __version__,
    }
    return {f"translate.{name}": str(value) for name, value in known.items()}


def _write(path: Path, name: str, files: Files) -> None:
    """Put the files in place so that the named one is there only when all are, and whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            for suffix, content in files.items():
                atomic_write(Path(folder) / suffix[1:], content)
            if len(files) > 1:  # one file of this model beside one of another would be worse than none
                path.unlink(missing_ok=True)
            for suffix, place in _paths_by_suffix(path, name).items():
                (Path(folder) / suffix[1:]).replace(place)
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}") from None
