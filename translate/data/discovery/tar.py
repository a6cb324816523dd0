"""One tar file, local or wherever fsspec reaches, and the image files in it.

A tar file that lies elsewhere is copied into the user's cache folder when one of its images is read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from translate.data.discovery.urls import is_local, open_file_system
from translate.errors import DataError
from translate.images import printable_path
from translate.images.codecs.failures import describe_error
from translate.storage import cache_folder, file_lock


@dataclass(frozen=True, order=True)
class Shard:
    """A tar file.

    Attributes:
        url: its path, or its address as fsspec takes it.
        size: bytes.
        key: a digest that changes when its content does.
        room: bytes that copies of shards may take on this machine.
    """

    url: str
    size: int
    key: str
    room: float = 0.0

    def __str__(self) -> str:
        return self.url

    def read(self, offset: int, size: int) -> bytes:
        """Read some bytes of the tar file.

        Raises:
            OSError: the tar file ends before them. Each kind of storage has errors of its own besides.
        """
        with self.open(block=size) as file:
            file.seek(offset)
            content: bytes = file.read(size)
        if len(content) < size:
            raise OSError(f"{self} ends within it")
        return content

    def open(self, block: int | None = None) -> IO[bytes]:
        """Open the file, or its copy where it lies elsewhere; without room for a copy, the remote file.

        Args:
            block: bytes that are asked for at a time from the remote file.
        """
        system, path = open_file_system(self.url)
        if is_local(system):
            return Path(path).open("rb")
        if self.size <= self.room:
            return self._open_copy(system, path)
        file: IO[bytes] = system.open(path, "rb", block_size=block)
        return file

    def _open_copy(self, system: Any, path: str) -> IO[bytes]:
        copy = cache_folder() / "shards" / f"{self.key}.tar"
        while True:
            # There may be no copy yet, or another process removed it because it needed the room.
            with suppress(FileNotFoundError):
                # Mark it as used before it is open: if this fails, nothing is left open.
                os.utime(copy)
                return copy.open("rb")
            with file_lock(copy.with_suffix(".lock")):
                if not copy.exists():
                    _make_room(copy.parent, self.room - self.size)
                    part = copy.with_suffix(".part")
                    system.get_file(path, str(part))
                    part.replace(copy)
                    # Other processes may have made copies meanwhile, so check the room again.
                    _make_room(copy.parent, self.room)


@dataclass(frozen=True, order=True)
class Member:
    """An image file in a tar file, used as its path would be."""

    shard: Shard
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}/{self.name}"

    @property
    def key(self) -> str:
        """The name that it shares with the files that belong to it."""
        return sample_name(PurePosixPath(self.name))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def read_bytes(self) -> bytes:
        """Read the file's content.

        Raises:
            DataError: its tar file cannot be read.
        """
        try:
            return self.shard.read(self.offset, self.size)
        except Exception as error:  # Each kind of storage raises errors of its own, so catch them all.
            raise DataError(f"{printable_path(str(self))}: {describe_error(error)}") from None


def sample_name(path: PurePosixPath) -> str:
    """Return a path in a tar file up to the first dot of its name; files that share it belong together."""
    return str(path.with_name(path.name.partition(".")[0]))


def _make_room(folder: Path, limit: float) -> None:
    """Remove the copies used longest ago until the others take no more than `limit` bytes."""
    with suppress(OSError):
        size = 0
        for copy in sorted(folder.glob("*.tar"), key=lambda copy: copy.stat().st_mtime, reverse=True):
            size += copy.stat().st_size
            if size > limit:
                copy.unlink(missing_ok=True)
