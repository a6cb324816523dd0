"""A generator as a file for other programs, run and compared before it is written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from translate.errors import TranslateError, UsageError, nearest
from translate.inference.formats import FORMATS, Facts, Files, Run, reason, smallest, trace
from translate.inference.sampling import draw
from translate.models import Model
from translate.storage import write_whole
from translate.version import __version__

TOLERANCE = 1e-3  # on [-1, 1], where a level of 8 bits is 8e-3
PATCH = 64  # pixels a side, at least, of all random pictures but the smallest
BY_SUFFIX = {kind.suffixes[0]: name for name, kind in FORMATS.items()}


@dataclass(frozen=True)
class Exported:
    """A written file, and its greatest difference from torch in float32 over random pictures."""

    path: Path
    difference: float
    pictures: int


def export(
    model: Model,
    path: Path,
    *,
    format: str | None = None,
    direction: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write one direction of a model as ONNX, as OpenVINO IR (.xml and .bin) or as torch.export's .pt2.

    The input is called `picture`, the output `translated`: (N, C, H, W) float32 in [-1, 1], for
    any N, and any H and W that are multiples of the model's size multiple, at least 8. A model that
    starts from noise takes `noise`, (N, inputs), and gives `picture`; the metadata says what its inputs
    are, in order.

    Args:
        format: `onnx`, `openvino` or `torch`; by default what the suffix of `path` says.
        direction: `AtoB` or `BtoA`, by default the model's first.

    Raises:
        UsageError: the suffix is not the format's, a package is not installed, the file is there
            already, or the model does not go in that direction.
        TranslateError: the format cannot hold the model, gives other answers than torch, or the
            file cannot be written. Nothing is left behind.
    """
    name = _format(path, format)
    FORMATS[name].require(f"format {name!r}")
    model.generator(direction)
    if not overwrite:
        _refuse_what_is_there(path, name)
    try:
        files, difference, pictures = _converted(model, name, direction)
    except Exception as error:  # of whatever kind the library raises
        raise TranslateError(f"{path}: this model cannot be exported as {name}: {reason(error)}") from error
    if not difference <= TOLERANCE:  # NaN is not
        raise TranslateError(
            f"{path}: not written, its greatest difference from torch is {difference:.1e} "
            f"(tolerance {TOLERANCE:g}): try another --format"
        )
    _write(path, name, files)
    return Exported(path, difference, pictures)


def _format(path: Path, given: str | None) -> str:
    """The format that is asked for, which the suffix must not contradict."""
    by_suffix = BY_SUFFIX.get(path.suffix.lower())
    if given is None:
        if by_suffix is None:
            raise UsageError(f"{path}: give -o a suffix of {', '.join(BY_SUFFIX)}, or --format")
        return by_suffix
    if given not in FORMATS:
        raise UsageError(f"no format {given!r}{nearest(given, FORMATS)}")
    if by_suffix not in (None, given) or (given == "openvino" and by_suffix is None):
        raise UsageError(f"{path} is no name for {given}: end it in {FORMATS[given].suffixes[0]}")
    return given


def _places(path: Path, name: str) -> dict[str, Path]:
    """Where each file goes, by suffix; the one that is named comes last."""
    first, *others = FORMATS[name].suffixes
    return {**{suffix: path.with_suffix(suffix) for suffix in others}, first: path}


def _refuse_what_is_there(path: Path, name: str) -> None:
    for place in _places(path, name).values():
        if place.exists():
            raise UsageError(f"{place} is there already: give another -o, or --overwrite")


def _converted(model: Model, name: str, direction: str | None) -> tuple[Files, float, int]:
    """The files' content, its greatest difference from torch, and over how many pictures."""
    program = trace(model.generator(direction), model.config)
    files = FORMATS[name].convert(program, facts(model, direction))
    batches = random_batches(model)
    run = FORMATS[name].load(files, torch.float32)
    differences = torch.stack([_difference(run, model.generator(direction), batch) for batch in batches])
    return files, float(differences.max()), sum(map(len, batches))


@torch.inference_mode()
def _difference(run: Run, generator: torch.nn.Module, batch: Tensor) -> Tensor:
    """Between a batch run at once and torch's answer to each of its pictures alone."""
    alone = torch.cat([generator(picture) for picture in batch.unsqueeze(1)])
    answer = run(batch)
    if answer.shape != alone.shape:
        raise ValueError(f"it gives {tuple(answer.shape)} where torch gives {tuple(alone.shape)}")
    return (answer - alone).abs().max()


def random_batches(model: Model) -> list[Tensor]:
    """The smallest picture, a tall one, and two wide ones as one batch: (N, C, H, W) in [-1, 1].

    Of a model that starts from noise, noise: (N, inputs), one and four.
    """
    if model.config.noise:
        return [draw(model.config, count, seed=count) for count in (1, 4)]
    least = smallest(model.config.size_multiple)
    side = -(-PATCH // least) * least
    shapes = (1, least, least), (1, 2 * side, side), (2, side, 2 * side)
    random = torch.Generator().manual_seed(0)
    channels = model.config.generator.in_channels
    return [2 * torch.rand(n, channels, height, width, generator=random) - 1 for n, height, width in shapes]


def facts(model: Model, direction: str | None) -> Facts:
    """What a program that applies the file has to know, for the file's metadata."""
    c = model.config
    for_noise = {
        "inputs": f"{c.noise} noise, {len(c.classes)} class, {c.categories} category, {c.codes} codes",
        "classes": ", ".join(c.classes),
    }
    for_pictures = {
        "direction": direction or c.directions[0],
        "color": c.color,
        "size_multiple": c.size_multiple,
        "smallest_side": smallest(c.size_multiple),
    }
    known = {
        **(for_noise if c.noise else for_pictures),
        "value_range": model.config.value_range,
        "recipe": model.config.recipe,
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
                write_whole(Path(folder) / suffix[1:], content)
            if len(files) > 1:  # one file of this model and one of another would be worse than none
                path.unlink(missing_ok=True)
            for suffix, place in _places(path, name).items():
                (Path(folder) / suffix[1:]).replace(place)
    except OSError as error:
        raise TranslateError(f"cannot write {path}: {error.strerror}") from None
