"""The journal of an output folder: which files are done, so that a second run can resume."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from translate.errors import DataError
from translate.images import LinkResolver, printable_path, resolve_links
from translate.inference.batch.plan import Job
from translate.storage import atomic_write, cache_folder, file_lock

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
        self._resolve = LinkResolver()
        self._sources: dict[Path, str] = {}  # The resolved path of each source.
        self._resolved_sources: frozenset[str] = frozenset()
        self.overwrite = False
        folder_hash = hashlib.sha256(os.fsencode(resolve_links(out))).hexdigest()[:24]
        self.path = cache_folder() / "applied" / f"{folder_hash}.jsonl"
        self.settings_hash = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
        self.out = resolve_links(out)
        self._folders: dict[Path, Path] = {}  # The folders of the targets, relative to `out`.
        self._lock = threading.Lock()
        self._pending: deque[bytes] = deque()  # Lines that are about to be written.
        self._lines: dict[str, list[Line]] = {}  # The newest lines of each file.
        self._inode, self._offset = -1, 0  # How far the journal has been read.
        self._read_new_lines()
        self._compact()

    def start(self, jobs: Sequence[Job], *, overwrite: bool = False) -> None:
        """Set the sources of this run; files that earlier runs made from them may be replaced.

        Args:
            overwrite: any file may be replaced.
        """
        self.overwrite = overwrite
        self._sources = {job.source: os.fspath(self._resolve(job.source)) for job in jobs}
        self._resolved_sources = frozenset(self._sources.values())

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
        line = self._find_line(job, target)
        if line is None:  # Another process may have written the file since.
            self._read_new_lines()
            line = self._find_line(job, target)
        source = self._source(job)
        if line is None or (line["source"] != source and line["source"] not in self._resolved_sources):
            return FOREIGN
        recorded = line["source"], line["input"], line["work"]
        return DONE if recorded == (source, input_stamp(job), self.settings_hash) else CHANGED

    def add(self, job: Job, source_stamp: FileStamp | None, finished: Path) -> None:
        """Record that the file `finished` is about to become the job's target.

        Args:
            source_stamp: the stamp of source and mask before they were read; they may have changed since.

        Raises:
            DataError: another process has made the target from another image in the meantime.
        """
        if not self.overwrite and self.state(job) == FOREIGN:
            raise DataError(
                f"{printable_path(job.source)}: another process has written {printable_path(job.target)}"
                " in the meantime: give another -o, or --overwrite to replace it"
            )
        line = {
            "name": self._name(job),
            "source": self._source(job),
            "input": source_stamp,
            "target": file_stamp(finished),
            "work": self.settings_hash,
        }
        self._pending.append(json.dumps(line).encode() + b"\n")
        # Without its line, the file counts as foreign in a second run, which is safe.
        with self._lock, contextlib.suppress(OSError):
            self._write_pending_lines()

    def _write_pending_lines(self) -> None:
        """Write the lines of all threads that wait; then those threads find nothing left to write."""
        if lines := [self._pending.popleft() for _ in range(len(self._pending))]:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock_file(), self.path.open("ab") as file:
                file.write(b"".join(lines))

    def _name(self, job: Job) -> str:
        """Return the path of a job's target, which may be a link, relative to the output folder."""
        folder = job.target.parent
        if folder not in self._folders:
            self._folders[folder] = Path(os.path.relpath(resolve_links(folder), self.out))
        return os.fspath(self._folders[folder] / job.target.name)

    def _source(self, job: Job) -> str:
        return self._sources.get(job.source) or os.fspath(resolve_links(job.source))

    def _find_line(self, job: Job, target: FileStamp) -> Line | None:
        lines = self._lines.get(self._name(job), ())
        return next((line for line in lines if line["target"] == target), None)

    def _lock_file(self) -> contextlib.AbstractContextManager[None]:
        """Return a lock against other processes, which may write into the same output folder."""
        return file_lock(self.path.with_suffix(".lock"))

    def _read_new_lines(self) -> None:
        """Read the lines that have been added since the last time; skip lines that a crash cut off."""
        with self._lock, contextlib.suppress(OSError), self.path.open("rb") as file:
            if self._inode != (inode := os.fstat(file.fileno()).st_ino):
                self._lines, self._inode, self._offset = {}, inode, 0
            file.seek(self._offset)
            complete, newline, _ = file.read().rpartition(b"\n")
            self._offset += len(complete + newline)
            for text in complete.splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(text)
                    line = {key: entry[key] for key in ("name", "source", "input", "target", "work")}
                    self._lines[line["name"]] = [*self._lines.get(line["name"], ()), line][-MAX_LINES:]

    def _compact(self) -> None:
        """Rewrite a journal that holds many older lines, or ends in a line that a crash cut off."""
        with contextlib.suppress(OSError):
            content = self.path.read_bytes()
            if content.count(b"\n") <= 2 * MAX_LINES * len(self._lines) and content.endswith(b"\n"):
                return
            with self._lock_file():
                self._read_new_lines()
                newest = [json.dumps(line) for lines in self._lines.values() for line in lines]
                atomic_write(self.path, "".join(line + "\n" for line in newest).encode())


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
