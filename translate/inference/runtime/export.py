"""Export a generator to ONNX, OpenVINO IR or torch.export, checked against PyTorch before it is written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from translate.config import ModelConfig, MultiDomainModelConfig
from translate.errors import TranslateError, UsageError, nearest
from translate.inference.runtime.formats import EXPORT_FORMATS, Files, Forward, Metadata, first_line
from translate.inference.runtime.inputs import Inputs, network_input
from translate.inference.runtime.tracing import trace_program
from translate.models import Model
from translate.storage import atomic_write
from translate.version import __version__

TOLERANCE = 1e-3  # For values in [-1, 1], in which one level of 8 bits is 8e-3.
FORMAT_BY_SUFFIX = {export_format.suffixes[0]: name for name, export_format in EXPORT_FORMATS.items()}


@dataclass(frozen=True)
class ExportResult:
    """An exported file, and its maximum difference from torch in float32 over some random images."""

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
    """Export one direction of a model as ONNX (.onnx), OpenVINO IR (.xml and .bin) or torch.export (.pt2).

    The input is called `picture`, the output `translated`: (N, C, H, W) float32 in [-1, 1]. N is free; H and
    W must be multiples of the model's size multiple, at least 8. A model that generates images from noise
    takes `noise`, (N, inputs), and returns `picture`; the metadata lists its inputs in order. One that
    generates volumes takes `latent`, (N, inputs), and returns `volume`, (N, 1, S, S, S). A model of several
    domains also takes `label`, (N, domains) of 0 and 1, whose entries the metadata names in order.

    Args:
        format: `onnx`, `openvino` or `torch`; None infers it from the suffix of `path`.
        direction: the name of a route; None is the model's first.

    Raises:
        UsageError: the suffix does not fit the format, a package is not installed, the file exists, or the
            model has no such direction.
        TranslateError: the model cannot be converted to the format, its output differs from torch's, or the
            file cannot be written. No partial file is left behind.
    """
    name = _format_name(path, format)
    EXPORT_FORMATS[name].require_packages(f"format {name!r}")
    _refuse_direction(model.config, direction)
    model.generator(direction)
    if not overwrite:
        _refuse_existing(path, name)
    try:
        files, difference, images = _convert(model, name, direction)
    except Exception as error:  # The libraries raise exceptions of any type.
        raise TranslateError(
            f"{path}: this model cannot be exported as {name}: {first_line(error)}: try another --format"
        ) from error
    if not difference <= TOLERANCE:  # Written this way, NaN is refused, too.
        raise TranslateError(
            f"{path} was not written: the exported network differs from torch by {difference:.1e}"
            f" (at most {TOLERANCE:g} allowed): try another --format"
        )
    _write(path, name, files)
    return ExportResult(path, difference, images)


def _format_name(path: Path, requested: str | None) -> str:
    """Return the name of the requested format, which must fit the suffix; by default, infer it from that."""
    by_suffix = FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if requested is None:
        if by_suffix is None:
            raise UsageError(
                f"{path}: the suffix is not one of {', '.join(FORMAT_BY_SUFFIX)}: change -o, or add --format"
            )
        return by_suffix
    if requested not in EXPORT_FORMATS:
        raise UsageError(f"no format {requested!r}{nearest(requested, EXPORT_FORMATS)}")
    if by_suffix not in (None, requested) or (requested == "openvino" and by_suffix is None):
        suffix = EXPORT_FORMATS[requested].suffixes[0]
        raise UsageError(f"{path} has the wrong suffix for --format {requested}: use {suffix}")
    return requested


def _refuse_direction(config: ModelConfig, direction: str | None) -> None:
    """Refuse a direction of a model of several domains, whose file takes the target as an input."""
    if direction is not None and isinstance(config, MultiDomainModelConfig):
        raise UsageError(
            f"--direction {direction} is for a model of two domains, and the file of this one has an input,"
            f" label, for the target, with an entry for each of {', '.join(config.domains)}: leave it out"
        )


def _paths_by_suffix(path: Path, name: str) -> dict[str, Path]:
    """Return the path of each file of the export by its suffix; the path that the user gave comes last."""
    first, *others = EXPORT_FORMATS[name].suffixes
    return {**{suffix: path.with_suffix(suffix) for suffix in others}, first: path}


def _refuse_existing(path: Path, name: str) -> None:
    for target in _paths_by_suffix(path, name).values():
        if target.exists():
            raise UsageError(f"{target} already exists: give another -o, or --overwrite")


def _convert(model: Model, name: str, direction: str | None) -> tuple[Files, float, int]:
    """Return the files' content, their maximum difference from torch, and the number of images compared."""
    program = trace_program(model.generator(direction), model.config)
    files = EXPORT_FORMATS[name].convert(program, export_metadata(model, direction))
    batches = network_input(model.config).random_batches()
    forward = EXPORT_FORMATS[name].load(files, torch.float32)
    differences = torch.stack([_difference(forward, model.generator(direction), batch) for batch in batches])
    return files, float(differences.max()), sum(len(batch[0]) for batch in batches)


@torch.inference_mode()
def _difference(forward: Forward, generator: torch.nn.Module, batch: Inputs) -> Tensor:
    """Return the maximum difference between a batched forward and torch's output for each item by itself."""
    target = torch.cat([generator(*item) for item in zip(*(x.unsqueeze(1) for x in batch), strict=True)])
    output = forward(*batch)
    if output.shape != target.shape:
        raise ValueError(f"its output has shape {tuple(output.shape)}, torch's has {tuple(target.shape)}")
    return (output - target).abs().max()


def export_metadata(model: Model, direction: str | None) -> Metadata:
    """Return the metadata that a program needs to run the exported file, under keys `translate.*`."""
    facts = {
        **network_input(model.config).metadata(model.direction(direction)),
        "value_range": model.config.value_range,
        "recipe": model.config.method,
        "fingerprint": model.fingerprint(),
        "version": __version__,
    }
    return {f"translate.{name}": str(value) for name, value in facts.items()}


def _write(path: Path, name: str, files: Files) -> None:
    """Move the files into place such that the one that the user gave only exists once all are complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            for suffix, content in files.items():
                atomic_write(Path(folder) / suffix[1:], content)
            if len(files) > 1:
                # Remove the old file first: after a crash, an .xml of one model must not lie beside a .bin of
                # another.
                path.unlink(missing_ok=True)
            for suffix, target in _paths_by_suffix(path, name).items():
                (Path(folder) / suffix[1:]).replace(target)
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}: give another -o") from None
