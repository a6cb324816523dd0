"""A run's folder: what lies where, and which runs may be started or continued."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translate.config import TrainConfig, flag_name, from_mapping, load_yaml, merge_settings, setting_fields
from translate.errors import TranslateError, UsageError
from translate.models import IN_A_RUN
from translate.storage import atomic_write

OWN = (
    *("config.yaml", "checkpoints", IN_A_RUN, "model-best"),
    *("samples", "metrics.jsonl", "events", "log.txt"),
)


@dataclass(frozen=True)
class Run:
    """A folder with config.yaml, checkpoints/, model/, model-best/, samples/ and what was logged."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def model(self) -> Path:
        return self.folder / IN_A_RUN

    @property
    def best_model(self) -> Path:
        return self.folder / "model-best"

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
        return self.config.is_file() and "recipe" in load_yaml(self.config)

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
        """Start the folder anew, in the place of a run that was there; files of another kind stay.

        Raises:
            TranslateError: the folder cannot be written.
        """
        try:
            for name in OWN if self.exists() else ():
                path = self.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise TranslateError(f"cannot replace the run {self.folder}: {error.strerror}") from None
        self.write_config(config)

    def write_config(self, config: str) -> None:
        """Keep the settings, as YAML.

        Raises:
            TranslateError: the folder cannot be written.
        """
        try:
            atomic_write(self.config, config.encode())
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
        """Remove all checkpoints but the newest `keep` and that of the step `best`, and what one that was
        cut off left.
        """
        for half in (self.folder / "checkpoints").glob(".step-*.part"):
            shutil.rmtree(half, ignore_errors=True)
        paths = self.checkpoints()
        for step in list(paths)[:-keep]:
            if step != best:
                paths[step].unlink()


def resume_config(kind: type[TrainConfig], run: Run, recipe: str, given: dict[str, Any]) -> TrainConfig:
    """Return the stored config of a run, with what a resumed run may change.

    Args:
        given: the settings that the person named this time.

    Raises:
        UsageError: the run is of another recipe, or a setting differs that a resumed run must
            not change.
    """
    stored = load_yaml(run.config)
    if (of := stored.pop("recipe", None)) != recipe:
        raise UsageError(f"{run.folder} is a run of {of}, not of {recipe}: give its recipe, or another --out")
    before = from_mapping(kind, stored, str(run.config))
    after = kind(**{**merge_settings(stored, given), "out": before.out})
    for field in setting_fields(kind):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new and not field.metadata["resumable"]:
            raise UsageError(
                f"{flag_name(field)} {new} differs from the run's {old}:"
                " --resume may change length, learning rate, device, workers, intervals and the place of the"
                " data; start another run by --out"
            )
    return after
