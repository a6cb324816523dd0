"""A tar file of a WebDataset (a shard), local or wherever fsspec reaches, and the images in it.

A remote tar file is copied into the user's cache folder when one of its images is read for the first time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from translate.data.discovery.urls import is_local, open_file_system
from translate.errors import DataError
from translate.images import printable_path
from translate.images.codecs.failures import describe_error
from translate.storage import LRUFolder, atomic_path, file_lock


@dataclass(frozen=True, order=True)
class Shard:
    """A tar file.

    Attributes:
        url: its path, or its URL for fsspec.
        size: its size in bytes.
        key: a digest that changes when the content of the file changes.
        max_cache_bytes: the total size of all local copies of remote shards.
    """

    url: str
    size: int
    key: str
    max_cache_bytes: float = 0.0

    def __str__(self) -> str:
        return self.url

    def read(self, offset: int, size: int) -> bytes:
        """Read a range of bytes.

        Raises:
            OSError: the tar file ends before the range does. Each kind of storage may raise other errors.
        """
        with self.open(block_size=size) as file:
            file.seek(offset)
            content: bytes = file.read(size)
        if len(content) < size:
            raise OSError(f"{self} is truncated in the middle of this file")
        return content

    def open(self, block_size: int | None = None) -> IO[bytes]:
        """Open the file: a local one itself, a remote one as a local copy if the copy fits in the cache.

        Args:
            block_size: bytes per request to a remote file that is not copied.
        """
        system, path = open_file_system(self.url)
        if is_local(system):
            return Path(path).open("rb")
        if self.size <= self.max_cache_bytes:
            return self._open_copy(system, path)
        file: IO[bytes] = system.open(path, "rb", block_size=block_size)
        return file

    def _open_copy(self, system: Any, path: str) -> IO[bytes]:
        folder = LRUFolder("shards", (".tar",))
        copy = folder.file(self.key, ".tar")
        while True:
            # There may be no copy yet, or another process has evicted it.
            with suppress(FileNotFoundError):
                # Mark it as used before it is open: if this fails, no file handle leaks.
                folder.mark_used(self.key)
                return copy.open("rb")
            with file_lock(copy.with_suffix(".lock")):
                if not copy.exists():
                    folder.evict(self.max_cache_bytes - self.size)
                    with atomic_path(copy, sync=False) as part:
                        system.get_file(path, str(part))
                    # Other processes may have added copies during the download, so enforce the limit again.
                    folder.evict(self.max_cache_bytes)


@dataclass(frozen=True, order=True)
class Member:
    """An image in a tar file, which can be used in place of the path of an image file."""

    shard: Shard
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}/{self.name}"

    @property
    def key(self) -> str:
        """Return the sample name, which the files of one sample share."""
        return sample_name(PurePosixPath(self.name))

    @property
    def suffix(self) -> str:
        """Return the suffix of the file name, such as `.png`."""
        return PurePosixPath(self.name).suffix

    def read_bytes(self) -> bytes:
        """Read the content of the image file.

        Raises:
            DataError: the tar file cannot be read.
        """
        try:
            return self.shard.read(self.offset, self.size)
        except Exception as error:  # Each kind of storage raises errors of its own, so catch them all.
            raise DataError(f"{printable_path(str(self))}: {describe_error(error)}") from None


def sample_name(path: PurePosixPath) -> str:
    """Return a path in a tar file up to the first dot of its file name: the sample name of WebDataset."""
    return str(path.with_name(path.name.partition(".")[0]))
