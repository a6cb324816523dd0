"""Remember which files a folder got, so that a second run goes on where the first one stopped."""

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
MAX_LINES = 2  # of each file, the newest

Line = dict[str, Any]
Identity = list[int]


class Journal:
    """The files of one output folder that we wrote: from what, and with which model.

    It lies in the user's cache folder, not among the images. Each line is written before its
    image takes its final name, and holds the size and time of the finished file: after a crash
    at any moment an image is known to be done, or is done again.

    Args:
        work: what else decides what an image becomes: the model, the direction, the format.
    """

    def __init__(self, out: Path, work: dict[str, Any]) -> None:
        self.sources: frozenset[str] = frozenset()
        place = hashlib.sha256(os.fsencode(resolve_links(out))).hexdigest()[:24]
        self.path = cache_folder() / "applied" / f"{place}.jsonl"
        self.work = hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:24]
        self.out = resolve_links(out)
        self._lock = threading.Lock()
        self._lines = self._load()

    def start(self, jobs: Sequence[Job]) -> None:
        """Set the sources of this run: what came of them earlier may be replaced, under any name."""
        self.sources = frozenset(os.fspath(resolve_links(job.source)) for job in jobs)

    def state(self, job: Job) -> str:
        """Return what lies in a job's place.

        `done` is this very work; `changed` is ours, of another model or another input of this run;
        `foreign` is anything else, and must not be lost; `absent` is nothing.
        """
        target = identity(job.target)
        if target is None:
            return ABSENT
        # The newest line may be of a file that a crash kept from its name: the one before it then holds.
        line = next((line for line in self._lines.get(self._name(job), ()) if line["target"] == target), None)
        source = os.fspath(resolve_links(job.source))
        if line is None or (line["source"] != source and line["source"] not in self.sources):
            return FOREIGN
        known = line["source"], line["input"], line["work"]
        return DONE if known == (source, input_identity(job), self.work) else CHANGED

    def add(self, job: Job, source_identity: Identity | None, finished: Path) -> None:
        """Write down that `finished` is what the job's target will be.

        Args:
            source_identity: of what it is made from, before that was read; it may have changed since.
        """
        line = {
            "name": self._name(job),
            "source": os.fspath(resolve_links(job.source)),
            "input": source_identity,
            "target": identity(finished),
            "work": self.work,
        }
        with self._lock, contextlib.suppress(OSError):  # without it, a second run leaves the file alone
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")

    def _name(self, job: Job) -> str:
        return os.path.relpath(resolve_links(job.target.parent) / job.target.name, self.out)

    def _load(self) -> dict[str, list[Line]]:
        """Read the newest lines of each file; those that a crash cut short do not count."""
        known: dict[str, list[Line]] = {}
        try:
            content = self.path.read_bytes()
        except OSError:
            return known
        lines = content.splitlines()
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                found = {key: entry[key] for key in ("name", "source", "input", "target", "work")}
                known[found["name"]] = [*known.get(found["name"], ()), found][-MAX_LINES:]
        if len(lines) > 2 * MAX_LINES * len(known) or not content.endswith(b"\n"):
            newest = [json.dumps(line) for lines_of_file in known.values() for line in lines_of_file]
            with contextlib.suppress(OSError):
                atomic_write(self.path, "".join(line + "\n" for line in newest).encode())
        return known


def input_identity(job: Job) -> Identity | None:
    """Return size and time of all that a job is made from."""
    source, mask = identity(job.source), identity(job.mask) if job.mask else []
    return None if source is None or mask is None else source + mask


def identity(path: Path) -> Identity | None:
    """Return size and time of a file, by which it is known again; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return [about.st_size, about.st_mtime_ns]
