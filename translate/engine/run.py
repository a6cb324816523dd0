"""A run's folder: what lies where, and which runs may be started or continued."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.config import TrainConfig, flag_name, from_mapping, load_yaml, settings_of
from translate.errors import TranslateError, UsageError

LENGTHS = ("epochs", "steps", "minutes")


@dataclass(frozen=True)
class Run:
    """config.yaml, checkpoints/, model/, samples/, metrics.jsonl, events/ and log.txt in a folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def exists(self) -> bool:
        return self.config.is_file()

    def refuse(self, *, overwrite: bool) -> None:
        """Refuse to start a run in a folder that holds one already, or holds something else.

        Raises:
            UsageError: with the remedy.
        """
        if self.exists() and not overwrite:
            raise UsageError(
                f"{self.folder} holds a run: continue it with --resume, or give --overwrite or another --out"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file: give a folder by --out")
        if not self.exists() and self.folder.is_dir() and any(self.folder.iterdir()):
            raise UsageError(f"{self.folder} holds files that are no run: give another folder by --out")

    def create(self, config: str) -> None:
        """Start the folder anew, in the place of a run that was there.

        Raises:
            TranslateError: it cannot be written.
        """
        try:
            if self.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.config.write_text(config, encoding="utf-8")
        except OSError as error:
            raise TranslateError(f"cannot write the run {self.folder}: {error.strerror}") from None

    def checkpoint(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step-{step:08d}.safetensors"

    def checkpoints(self) -> dict[int, Path]:
        """The checkpoints by their steps, the oldest first."""
        found = {}
        for path in (self.folder / "checkpoints").glob("step-*.safetensors"):
            if match := re.fullmatch(r"step-(\d+)\.safetensors", path.name):
                found[int(match[1])] = path
        return dict(sorted(found.items()))

    def prune(self, keep: int, best: int | None) -> None:
        """Remove all checkpoints but the newest `keep` and that of the step `best`."""
        paths = self.checkpoints()
        for step in list(paths)[:-keep]:
            if step != best:
                paths[step].unlink()


def resumed(kind: type[TrainConfig], run: Run, recipe: str, given: dict[str, Any]) -> TrainConfig:
    """The stored config of a run, with what a resumed run may change.

    Args:
        given: the settings that the person named this time.

    Raises:
        UsageError: the run is of another recipe, or another setting than length, device, workers
            and intervals differs.
    """
    stored = load_yaml(run.config)
    if (of := stored.pop("recipe", None)) != recipe:
        raise UsageError(f"{run.folder} is a run of {of}, not of {recipe}: give its recipe, or another --out")
    before = from_mapping(kind, stored, str(run.config))
    lengths = dict.fromkeys(("steps", "minutes")) if any(name in given for name in LENGTHS) else {}
    after = kind(**{**stored, **lengths, **given, "out": before.out})
    for field in settings_of(kind):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new and not field.metadata["resumable"]:
            raise UsageError(
                f"{flag_name(field)} {new} differs from the run's {old}:"
                " --resume may change length, device, workers and intervals; start another run by --out"
            )
    return after
