"""Find the generators in a folder of checkpoints, and what the options beside them tell of the training."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from translate.config.model import TrainingScale
from translate.errors import UsageError

CHECKPOINTS = (".pth", ".pt", ".ckpt", ".safetensors", ".pkl", ".bin", ".tar")
OPTIONS = ("train_opt.txt", "opt.txt", "test_opt.txt")  # The first that is there is read.
GENERATOR = re.compile(r"(?:^|[_\W\d])(?:net_?)?(?:G|gen|generator)(?=[AB_\W\d]|$)")
DIRECTIONS = {
    # `G_A` and `G_B` are the authors' names; `A2B`, `AtoB` and `AB` those of other implementations.
    "AtoB": re.compile(
        r"(?<![a-z])(?:gen|net)?a_?(?:2|to)_?b(?![a-z])|(?:^|[_.]|net)g(?:en|enerator)?_?(?:a|ab)$|^g$"
    ),
    "BtoA": re.compile(
        r"(?<![a-z])(?:gen|net)?b_?(?:2|to)_?a(?![a-z])|(?:^|[_.]|net)g(?:en|enerator)?_?(?:b|ba)$|^f$"
    ),
}


def direction_of(name: str) -> str | None:
    """Return the direction that the name of a network or of a file tells: `BtoA` of `latest_net_G_B`."""
    # The number of an epoch may follow, `G_A2B_epoch33`, or the mark of averaged weights, `G_A_ema`.
    name = re.sub(r"[_.-]?(?:epoch|ep|iter)?[_.-]?\d+$|_ema$", "", name.lower())
    found = [direction for direction, pattern in DIRECTIONS.items() if pattern.search(name)]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class GeneratorFiles:
    """The generators of one epoch in a folder.

    Attributes:
        paths: their files by direction.
        epoch: the name of the epoch: `latest`, `200`.
        epochs: how many epochs the folder holds.
    """

    paths: dict[str, Path]
    epoch: str
    epochs: int


def find_generator_files(folder: Path) -> GeneratorFiles:
    """Find the checkpoints of the newest epoch that has the most directions.

    Raises:
        UsageError: there is none, or the folder is already a model.
    """
    if (folder / "config.json").is_file() or (folder / "config.yaml").is_file():
        raise UsageError(f"{folder} is a model or a run of translate already: use it as it is")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in CHECKPOINTS)
    epochs: dict[str, dict[str, Path]] = {}
    for path in files if len(files) > 1 else ():
        if GENERATOR.search(path.stem):
            epochs.setdefault(_epoch(path.stem), {})[direction_of(path.stem) or "AtoB"] = path
    if len(files) == 1:
        epochs = {"": {direction_of(files[0].stem) or "AtoB": files[0]}}
    if not epochs:
        raise UsageError(
            f"{folder} holds no generator (latest_net_G.pth, or latest_net_G_A.pth and latest_net_G_B.pth):"
            " give the file of one"
        )
    newest = max(epochs, key=lambda epoch: (len(epochs[epoch]), _age(epoch)))
    return GeneratorFiles(epochs[newest], newest, len(epochs))


def _epoch(stem: str) -> str:
    """Return the epoch in a file's name: `latest`, `200` or `iter_5000`; empty if it has none."""
    found = re.match(r"(.+?)_net_", stem) or re.search(r"((?:iter_)?\d+)$", stem)
    return found[1] if found else ""


def _age(epoch: str) -> float:
    number = re.search(r"\d+$", epoch)
    return math.inf if epoch == "latest" else float(number[0]) if number else -1.0


@dataclass(frozen=True)
class ReferenceOptions:
    """The options that the authors' code wrote beside its checkpoints, by name; none if there is no file."""

    values: dict[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def is_reversed(self) -> bool:
        """Return whether the training translated B to A: `G_A` and `G` then start from domain B."""
        return self.values.get("direction", self.values.get("which_direction")) == "BtoA"

    @property
    def dropout(self) -> bool:
        """Return whether the generator is known to have been trained with dropout."""
        return self.values.get("no_dropout") == "False"

    def scale(self, load_size: int | None = None) -> TrainingScale | None:
        """Return the sizes of the images in training; None if they are not known.

        Args:
            load_size: the side that images were resized to, in pixels, if the user gives it.
        """
        preprocess = self.values.get("preprocess") or self.values.get("resize_or_crop", "resize_and_crop")
        crop = self._size("crop_size", "fineSize")
        is_resized = preprocess not in ("crop", "none")
        resize_to = load_size or (self._size("load_size", "loadSize") if is_resized else None)
        if not resize_to and (is_resized or not crop):
            return None
        return TrainingScale(preprocess=preprocess, resize_to=resize_to, crop=crop or resize_to or 256)

    def _size(self, *names: str) -> int | None:
        """Return the first of some options as a number of pixels."""
        texts = [self.values[name] for name in names if name in self.values]
        return int(texts[0]) if texts and texts[0].isdecimal() and int(texts[0]) > 0 else None


def read_options(folder: Path) -> ReferenceOptions:
    """Read the options in a folder of checkpoints: lines `name: value`, with the default behind some."""
    for name in OPTIONS:
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = re.findall(r"^[ \t]*(\w+):[ \t]*(.*?)[ \t]*(?:\[default: .*\][ \t]*)?$", text, re.MULTILINE)
        return ReferenceOptions(dict(lines), name)
    return ReferenceOptions()
