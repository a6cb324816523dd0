"""What was translated into a folder, so that a second run goes on where the first one stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from translate.images import real
from translate.inference.plan import Job
from translate.storage import cache_folder, write_whole

DONE, CHANGED, FOREIGN, ABSENT = "done", "changed", "foreign", "absent"
KEPT = 2  # lines of each file, the newest

Line = dict[str, Any]
Identity = list[int]


class Journal:
    """The files of one output folder that we wrote: from what, and with which model.

    It lies in the user's cache folder, not among the pictures. Each line is written before its
    picture takes its final name, and tells the size and time of the finished file: after a crash
    at any moment a picture is known to be done, or is done again.

    Args:
        work: what else decides a picture: the model, the direction, the format.
    """

    def __init__(self, out: Path, work: dict[str, Any]) -> None:
        self.at_hand: frozenset[str] = frozenset()
        place = hashlib.sha256(os.fsencode(real(out))).hexdigest()[:24]
        self.path = cache_folder() / "applied" / f"{place}.jsonl"
        self.work = hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:24]
        self.out = real(out)
        self._lock = threading.Lock()
        self._lines = self._load()

    def start(self, jobs: Sequence[Job]) -> None:
        """Take note of what a run translates: what came of these is made again, under any name."""
        self.at_hand = frozenset(os.fspath(real(job.source)) for job in jobs)

    def state(self, job: Job) -> str:
        """What lies in a job's place.

        `done` is this very work; `changed` is ours, of another model or another input that
        this run translates too; `foreign` is anything else, and must not be lost; `absent` is nothing.
        """
        target = identity(job.target)
        if target is None:
            return ABSENT
        # The newest line may tell of a file that a crash kept from its name: the one before then holds.
        line = next((line for line in self._lines.get(self._name(job), ()) if line["target"] == target), None)
        source = os.fspath(real(job.source))
        if line is None or (line["source"] != source and line["source"] not in self.at_hand):
            return FOREIGN
        known = line["source"], line["input"], line["work"]
        return DONE if known == (source, input_of(job), self.work) else CHANGED

    def note(self, job: Job, seen: Identity | None, finished: Path) -> None:
        """Write down that `finished` is what the job's target will be.

        Args:
            seen: the identity of what it is made from before that was read; it may have changed since.
        """
        line = {
            "name": self._name(job),
            "source": os.fspath(real(job.source)),
            "input": seen,
            "target": identity(finished),
            "work": self.work,
        }
        with self._lock, contextlib.suppress(OSError):  # without it, a second run leaves the file alone
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")

    def _name(self, job: Job) -> str:
        return os.path.relpath(real(job.target.parent) / job.target.name, self.out)

    def _load(self) -> dict[str, list[Line]]:
        """The newest lines of each file; those that a crash cut short are none."""
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
                known[found["name"]] = [*known.get(found["name"], ()), found][-KEPT:]
        if len(lines) > 2 * KEPT * len(known) or not content.endswith(b"\n"):
            kept = [json.dumps(line) for newest in known.values() for line in newest]
            with contextlib.suppress(OSError):
                write_whole(self.path, "".join(line + "\n" for line in kept).encode())
        return known


def input_of(job: Job) -> Identity | None:
    """Size and time of all that a job is made from."""
    seen, mask = identity(job.source), identity(job.mask) if job.mask else []
    return None if seen is None or mask is None else seen + mask


def identity(path: Path) -> Identity | None:
    """Size and time of a file, by which it is known again; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return [about.st_size, about.st_mtime_ns]
