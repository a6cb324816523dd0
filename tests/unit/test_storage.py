"""Files are written atomically, locks end with their process, and the cache folder stays within its limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from translate.storage import (
    LRUFolder,
    StagingFolders,
    atomic_path,
    atomic_write,
    file_lock,
    remove_stale_parts,
)


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_former_content(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    atomic_write(path, b"former")
    with contextlib.suppress(ZeroDivisionError), atomic_path(path) as part:
        part.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_may_be_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    atomic_write(path, b"content")
    assert path.read_bytes() == b"content"


def open_files_in(folder: Path) -> list[str]:
    """Return the files in a folder that this process has open, also deleted ones; none where no /proc is."""
    files = []
    for descriptor in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):  # Another thread may close it meanwhile.
            files.append(str(descriptor.readlink()))
    return [file for file in files if file.startswith(str(folder))]


def test_staged_files_appear_one_by_one_and_nothing_else_stays(tmp_path: Path) -> None:
    paths = [tmp_path / f"folder{number % 9}" / f"{number}.txt" for number in range(40)]

    def write(path: Path) -> None:
        with staging.atomic_path(path) as part:
            part.write_bytes(path.name.encode())
            assert not path.exists()
        assert path.read_bytes() == path.name.encode()

    with StagingFolders() as staging, ThreadPoolExecutor(4) as threads:
        list(threads.map(write, paths))
        assert len(list(tmp_path.rglob("*.part"))) <= 4
        assert 0 < len(open_files_in(tmp_path)) <= 4 or sys.platform != "linux"
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    assert not list(tmp_path.rglob("*.part"))
    assert not open_files_in(tmp_path)


def test_a_staged_write_that_fails_leaves_the_former_content(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    atomic_write(path, b"former")
    with StagingFolders() as staging:
        with contextlib.suppress(ZeroDivisionError), staging.atomic_path(path) as part:
            part.write_bytes(b"half")
            raise ZeroDivisionError
        assert path.read_bytes() == b"former"
        shutil.rmtree(part.parent)  # by a user who empties the folder
        with staging.atomic_path(path) as part:
            part.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_parts_of_killed_processes_are_removed_and_others_stay(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
from translate.storage import atomic_path
with atomic_path(Path({str(tmp_path / "file.txt")!r})) as part:
    part.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        (part,) = tmp_path.iterdir()
        os.utime(part, (0, 0))
        remove_stale_parts(tmp_path)
        assert list(tmp_path.iterdir()) == [part]
        writer.kill()
    remove_stale_parts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_by_one_process_and_freed_when_it_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    holder = f"""
from pathlib import Path
from translate.storage import file_lock
with file_lock(Path({str(lock)!r})):
    print("locked", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        waiter = subprocess.Popen(
            [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiter.wait(timeout=1)
        process.kill()
    output, _ = waiter.communicate(b"\n", timeout=20)
    assert output == b"locked\n"


def test_where_a_folder_cannot_be_written_there_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with file_lock(tmp_path / "file" / "a.lock"):
        pass


def test_the_least_recently_used_entries_are_evicted(own_cache: Path) -> None:
    folder = LRUFolder("things", (".data", ".json"))
    for age, stem in enumerate(("new", "middle", "old")):
        for suffix in (".data", ".json"):
            atomic_write(folder.file(stem, suffix), bytes(50))
            os.utime(folder.file(stem, suffix), (1000 - age, 1000 - age))
    (folder.path / "notes.txt").write_bytes(bytes(1000))
    folder.mark_used("old")
    folder.evict(250)
    assert {path.name for path in folder.path.iterdir()} == {
        *("old.data", "old.json", "new.data", "new.json", "notes.txt")
    }
    folder.evict(150, keep="new")
    assert {path.stem for path in folder.path.iterdir()} == {"new", "notes"}


def test_an_entry_that_is_gone_cannot_be_marked(own_cache: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LRUFolder("things", (".data",)).mark_used("absent")
