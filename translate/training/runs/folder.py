"""The folder of a run: its files, and the rules for starting and resuming it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from translate.config import load_yaml
from translate.errors import TranslateError, UsageError
from translate.models import RUN_MODEL_FOLDER
from translate.storage import atomic_write, remove_stale_parts

RUN_FILES = (
    *("config.yaml", "checkpoints", RUN_MODEL_FOLDER, "model-best"),
    *("samples", "metrics.jsonl", "events", "log.txt"),
)
# Settings that follow from the dataset, and what they were in runs from before they were recorded.
UNRECORDED = {"in_channels": 3, "out_channels": 3, "range": "type"}


@dataclass(frozen=True)
class Run:
    """The folder of a run, with config.yaml, checkpoints/, model/, model-best/, samples/ and the logs."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return the path of the settings."""
        return self.folder / "config.yaml"

    @property
    def model(self) -> Path:
        """Return the folder of the model of the newest checkpoint."""
        return self.folder / RUN_MODEL_FOLDER

    @property
    def best_model(self) -> Path:
        """Return the folder of the model of the best checkpoint."""
        return self.folder / "model-best"

    @property
    def samples(self) -> Path:
        """Return the folder of the sample sheets."""
        return self.folder / "samples"

    @property
    def metrics(self) -> Path:
        """Return the path of the logged losses and scores."""
        return self.folder / "metrics.jsonl"

    @property
    def log(self) -> Path:
        """Return the path of the log for people."""
        return self.folder / "log.txt"

    def exists(self) -> bool:
        """Return whether the folder holds a run."""
        return self.config.is_file() and "recipe" in load_yaml(self.config)

    def refuse(self, *, overwrite: bool) -> None:
        """Refuse to start a run in a folder that holds a run already, or other files.

        Raises:
            UsageError: the folder is not free.
        """
        if self.exists() and not overwrite:
            raise UsageError(
                f"{self.folder} holds a run: continue it with --resume, or give --overwrite or another --out"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file: give a folder with --out")
        # A run that was killed before it had written anything leaves hidden files.
        files = [path for path in self.folder.glob("*") if not path.name.startswith(".")]
        if not self.exists() and self.checkpoints():
            raise UsageError(
                f"{self.folder} holds checkpoints, but no {self.config.name} with a recipe: write the line"
                " 'recipe: NAME' into it and give --resume (the checkpoints hold the other settings), or give"
                " another --out"
            )
        if not self.exists() and files:
            raise UsageError(f"{self.folder} holds files, but no run: give another folder with --out")

    def create(self, config: str) -> None:
        """Start a run in the folder; a run that was there is removed, other files stay.

        Raises:
            TranslateError: the folder cannot be written.
        """
        try:
            for name in RUN_FILES if self.exists() else ():
                path = self.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise TranslateError(
                f"cannot replace the run {self.folder}: {error.strerror}:"
                " make it writable, or give another --out"
            ) from None
        self.write_config(config)

    def write_config(self, config: str) -> None:
        """Write the settings, given as YAML.

        Raises:
            TranslateError: the folder cannot be written.
        """
        try:
            atomic_write(self.config, config.encode())
        except OSError as error:
            raise TranslateError(
                f"cannot write the run {self.folder}: {error.strerror}:"
                " make it writable, or give another --out"
            ) from None

    def checkpoint(self, step: int) -> Path:
        """Return the path of the checkpoint of a step."""
        return self.folder / "checkpoints" / f"step-{step:08d}.safetensors"

    def checkpoints(self) -> dict[int, Path]:
        """Return the paths of the checkpoints by step, the oldest first."""
        paths = {}
        for path in (self.folder / "checkpoints").glob("step-*.safetensors"):
            if match := re.fullmatch(r"step-(\d+)\.safetensors", path.name):
                paths[int(match[1])] = path
        return dict(sorted(paths.items()))

    def prune(self, keep: int, best: int | None) -> None:
        """Remove old checkpoints, and what a killed process left of one.

        Args:
            keep: number of the newest checkpoints to keep.
            best: step of the best checkpoint, which is kept as well.
        """
        remove_stale_parts(self.folder / "checkpoints")
        paths = self.checkpoints()
        for step in list(paths)[:-keep]:
            if step != best:
                paths[step].unlink()
