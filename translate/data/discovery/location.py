"""The location of a dataset: a folder, by its path or its name under datasets/, or tar files (shards)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from translate.data.discovery.shards import CACHE_SIZE, Shards, find_shards
from translate.data.discovery.tar import Member
from translate.errors import UsageError, nearest
from translate.images import LeftOut, list_names, printable_path, scan_folder, summarize_left_out
from translate.progress import message

DATASETS = Path("datasets")

ImageSource = Path | Member  # an image file, or an image in a tar file
DataLocation = Path | Shards  # a folder of images, or tar files


def locate_data(
    data: str | None, remedy: str = "--data DIR", *, cache_size: float = CACHE_SIZE
) -> DataLocation:
    """Return the folder or the tar files of a dataset.

    Args:
        data: the path of a folder, a name under datasets/, or tar files.
        remedy: what the error message asks for if `data` is None.
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: `data` is None or does not exist.
    """
    if data is None:
        raise UsageError(f"no data: give {remedy}")
    return find_shards(data, cache_size) or _find_folder(data)


def _find_folder(name: str) -> Path:
    if folder := _existing_folder(name):
        return folder
    if Path(name).exists():
        raise UsageError(f"{printable_path(name)} is a file: give the folder of the images")
    names = [folder.name for folder in DATASETS.iterdir() if folder.is_dir()] if DATASETS.is_dir() else []
    hint = nearest(name, names) if names else ": check the path"
    raise UsageError(f"no folder {name!r}, here or under {DATASETS}/{hint}")


def _existing_folder(name: str) -> Path | None:
    """Return the folder of a path or of a name under datasets/; if there are both, the path's.

    A note then says how to get the other one, unless the name is written as a path: `./horses`, `horses/`.
    """
    folders = [folder for folder in (Path(name), DATASETS / name) if folder.is_dir()]
    if len(folders) == 2 and name == str(Path(name)) and not folders[0].samefile(folders[1]):
        _log_ambiguity(name, Path.cwd())
    return folders[0] if folders else None


@cache
def _log_ambiguity(name: str, folder: Path) -> None:
    """Log, once for each working directory, that a name means the folder here."""
    printable = printable_path(name)
    message(f"{printable} is the folder here: for the other one, give {DATASETS / printable}")


def list_images(location: DataLocation) -> list[ImageSource]:
    """List the images in a folder and its sub-folders, or in tar files.

    Raises:
        UsageError: the folder holds no images.
    """
    if isinstance(location, Shards):
        return list(location.members)
    scan = scan_folder(location)
    scan.require_images(location)
    return list(scan.images)


def find_left_out(names: Iterable[str | None]) -> list[LeftOut]:
    """Return the files that are left out of folders of images, given as to `locate_data`; None is skipped."""
    left_out = []
    for name in filter(None, names):
        folder = _existing_folder(name)
        scan = scan_folder(folder) if folder else None
        if scan and scan.images:  # Else it is a folder of tar files.
            left_out += scan.left_out
    return left_out


def left_out_notes(*names: str | None) -> list[str]:
    """Return a note on the files that are left out of folders, given as to `locate_data`; or no note."""
    summary = summarize_left_out(find_left_out(names))
    return [summary] if summary else []


def relative_name(location: DataLocation, source: ImageSource) -> str:
    """Return an image's path relative to its folder; for tar files, the tar file and the path inside it."""
    if isinstance(location, Path) and isinstance(source, Path):
        return source.relative_to(location).as_posix()
    return str(source)


def shard_notes(*locations: DataLocation) -> list[str]:
    """Return the notes on damaged tar files among the locations."""
    return [note for location in locations if isinstance(location, Shards) for note in location.notes]


def describe_left_out(description: str, files: Sequence[ImageSource]) -> str:
    """Return a note on images that are left out: `1 image without a partner in B is left out: 3.png`.

    Args:
        description: which images these are: `without a partner in B`.
    """
    images, are = ("image", "is") if len(files) == 1 else ("images", "are")
    return f"{len(files)} {images} {description} {are} left out: {list_names([str(file) for file in files])}"
