"""The journal of an output folder: which files are done, so that a second run can resume."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from translate.images import resolve_links
from translate.inference.batch.plan import Job
from translate.storage import atomic_write, cache_folder

DONE, CHANGED, FOREIGN, ABSENT = "done", "changed", "foreign", "absent"
MAX_LINES = 2  # The number of lines that are kept for each file; older ones are dropped.

Line = dict[str, Any]
FileStamp = list[int]  # Size and modification time of a source, followed by those of its mask if it has one.


class Journal:
    """The journal of the files that were written into one output folder: the source and the settings of each.

    It is stored in the user's cache folder, not among the images. The line of an image is written before the
    image gets its final name, and holds size and time of the finished file. So after a crash at any moment,
    an image is either known to be done, or is done again.

    Args:
        settings: everything besides the source that determines the output: model, direction, format.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.sources: frozenset[str] = frozenset()
        folder_hash = hashlib.sha256(os.fsencode(resolve_links(out))).hexdigest()[:24]
        self.path = cache_folder() / "applied" / f"{folder_hash}.jsonl"
        self.settings_hash = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
        self.out = resolve_links(out)
        self._lock = threading.Lock()
        self._lines = self._load()

    def start(self, jobs: Sequence[Job]) -> None:
        """Set the sources of this run; files that earlier runs made from them may be replaced."""
        self.sources = frozenset(os.fspath(resolve_links(job.source)) for job in jobs)

    def state(self, job: Job) -> str:
        """Return the state of a job's target.

        Returns:
            `done`: written from this source with these settings. `changed`: written from an earlier version
            of the source, with other settings, or from another source of this run. `foreign`: any other
            file, which must not be overwritten. `absent`: there is no file.
        """
        target = file_stamp(job.target)
        if target is None:
            return ABSENT
        # After a crash, the newest line may be of a file that never got its name; then the one before holds.
        line = next((line for line in self._lines.get(self._name(job), ()) if line["target"] == target), None)
        source = os.fspath(resolve_links(job.source))
        if line is None or (line["source"] != source and line["source"] not in self.sources):
            return FOREIGN
        recorded = line["source"], line["input"], line["work"]
        return DONE if recorded == (source, input_stamp(job), self.settings_hash) else CHANGED

    def add(self, job: Job, source_stamp: FileStamp | None, finished: Path) -> None:
        """Record that the file `finished` is about to become the job's target.

        Args:
            source_stamp: the stamp of source and mask before they were read; they may have changed since.
        """
        line = {
            "name": self._name(job),
            "source": os.fspath(resolve_links(job.source)),
            "input": source_stamp,
            "target": file_stamp(finished),
            "work": self.settings_hash,
        }
        # Without its line, the file counts as foreign in a second run, which is safe.
        with self._lock, contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")

    def _name(self, job: Job) -> str:
        return os.path.relpath(resolve_links(job.target.parent) / job.target.name, self.out)

    def _load(self) -> dict[str, list[Line]]:
        """Read the newest lines of each file; skip lines that a crash cut off, and compact a long journal."""
        by_name: dict[str, list[Line]] = {}
        try:
            content = self.path.read_bytes()
        except OSError:
            return by_name
        lines = content.splitlines()
        for text in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(text)
                line = {key: entry[key] for key in ("name", "source", "input", "target", "work")}
                by_name[line["name"]] = [*by_name.get(line["name"], ()), line][-MAX_LINES:]
        if len(lines) > 2 * MAX_LINES * len(by_name) or not content.endswith(b"\n"):
            newest = [json.dumps(line) for lines_of_file in by_name.values() for line in lines_of_file]
            with contextlib.suppress(OSError):
                atomic_write(self.path, "".join(line + "\n" for line in newest).encode())
        return by_name


def input_stamp(job: Job) -> FileStamp | None:
    """Return size and time of a job's source and mask, or None if one of them is missing."""
    source, mask = file_stamp(job.source), file_stamp(job.mask) if job.mask else []
    return None if source is None or mask is None else source + mask


def file_stamp(path: Path) -> FileStamp | None:
    """Return size in bytes and modification time in nanoseconds of a file, or None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
