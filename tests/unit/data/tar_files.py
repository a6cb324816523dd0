"""Create and find tar files of images for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.images import noise
from translate.data.discovery.shards import Shards, find_shards


def image_bytes(folder: Path, seed: int) -> bytes:
    """Return the content of an image file that differs from seed to seed."""
    return noise(folder / "one.png", seed=seed).read_bytes()


def write_tar(path: Path, content: dict[str, bytes]) -> Path:
    """Write a tar file of files, given by name and content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def write_photos(folder: Path) -> Path:
    """Write three tar files into `folder/photos`, with four photos each and files that are not photos."""
    for shard in range(3):
        content = {f"{shard}{n}.png": image_bytes(folder, 10 * shard + n) for n in range(4)}
        write_tar(folder / "photos" / f"{shard:03}.tar", {**content, f"{shard}0.json": b"{}", "._x.png": b""})
    return folder / "photos"


def find_tars(data: Path | str, cache_size: float = 1.0) -> Shards:
    """Find the images in tar files that must exist."""
    shards = find_shards(str(data), cache_size)
    assert shards is not None
    return shards
