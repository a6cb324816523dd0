"""Where the images of a data set are: a folder, by its path or its name under datasets/, or tar files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from translate.data.discovery.shards import CACHE_SIZE, Shards, find_shards
from translate.data.discovery.tar import Member
from translate.errors import UsageError, nearest
from translate.images import find_images, printable_path

DATASETS = Path("datasets")
MAX_NAMES = 5  # files that a message names before it only counts

ImageSource = Path | Member  # of an image: a file, or one in a tar file
DataLocation = Path | Shards  # of a data set: a folder, or tar files


def locate_data(
    data: str | None, remedy: str = "--data DIR", *, cache_size: float = CACHE_SIZE
) -> DataLocation:
    """Return the folder of a data set, by its path or by its name under datasets/; or its tar files.

    Raises:
        UsageError: none is given (the remedy says what to give), or there is none.
    """
    if data is None:
        raise UsageError(f"no data: give {remedy}")
    return find_shards(data, cache_size) or _find_folder(data)


def _find_folder(name: str) -> Path:
    for folder in (Path(name), DATASETS / name):
        if folder.is_dir():
            return folder
    if Path(name).exists():
        raise UsageError(f"{printable_path(name)} is a file: give the folder that holds the images")
    known = [f.name for f in DATASETS.iterdir() if f.is_dir()] if DATASETS.is_dir() else []
    hint = nearest(name, known) if known else "; check the path"
    raise UsageError(f"no folder {name!r}, here or under {DATASETS}/{hint}")


def list_images(place: DataLocation) -> list[ImageSource]:
    """List the images below a folder, or in tar files.

    Raises:
        UsageError: the folder holds no images.
    """
    if isinstance(place, Shards):
        return list(place.members)
    files = find_images(place)
    if not files:
        raise UsageError(f"{place} holds no images: check the path and the suffixes of its files")
    return list(files)


def name_in(place: DataLocation, source: ImageSource) -> str:
    """Return an image's path below its folder; in tar files, that of its tar file comes first."""
    if isinstance(place, Path) and isinstance(source, Path):
        return source.relative_to(place).as_posix()
    return str(source)


def shard_notes(*places: DataLocation) -> list[str]:
    """Return what is wrong with the tar files among some places, in words."""
    return [note for place in places if isinstance(place, Shards) for note in place.notes]


def describe_files(what: str, files: Sequence[ImageSource]) -> str:
    """Return a note about some files that names the first few and counts the others."""
    names = ", ".join(printable_path(str(path)) for path in files[:MAX_NAMES])
    more = f" and {len(files) - MAX_NAMES} more" if len(files) > MAX_NAMES else ""
    return f"{what}: {names}{more}"
