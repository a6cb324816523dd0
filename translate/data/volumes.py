"""Datasets of volumes: find the files of a folder, split off a validation set, and read them into memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.samples import Sample, SampleDataset
from translate.data.discovery.check import DatasetCheck
from translate.data.discovery.layout import VALIDATION_NAMES, find_subset
from translate.data.discovery.location import locate_data, relative_name
from translate.data.discovery.split import VALIDATION_MAX, split_validation
from translate.errors import DataError, UsageError, require_packages
from translate.images import list_names, printable_path, scan_folder
from translate.progress import track
from translate.volumes import EXTRA, MESH_SUFFIXES, SUFFIXES, Volume, read_volume

THREADS = 4

Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class VolumeFiles:
    """The files of a folder of volumes.

    Attributes:
        train, validation: files of voxels or meshes, sorted.
        notes: messages about files that are left out.
    """

    train: list[Path]
    validation: list[Path]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        """Return all files, those for training first."""
        return self.train + self.validation


def find_volumes(data: str | None) -> VolumeFiles:
    """Find the files of volumes below a folder.

    Those in sub-folders `val` or `test` are the validation set; without such folders, one file in 20 is, at
    most 50, chosen by the hash of its name.

    Raises:
        UsageError: the folder is missing or holds no volumes, or none for training.
    """
    root = locate_data(data)
    if not isinstance(root, Path):
        raise UsageError(f"{data} is a set of tar files, and volumes are read from a folder: unpack them")
    scan = scan_folder(root)
    others = [*scan.images, *(entry.path for entry in scan.left_out)]
    files = sorted(path for path in others if path.suffix.lower() in SUFFIXES)
    others = [path for path in others if path.suffix.lower() not in SUFFIXES]
    notes = []
    if others:
        counts = Counter(path.suffix.lower() or "without suffix" for path in others)
        names = list_names([f"{count} {suffix}" for suffix, count in sorted(counts.items())])
        notes.append(f"left out: {names} (no voxels and no meshes)")
    if not files:
        found = "; ".join(notes) or "check the path"
        raise UsageError(f"{printable_path(root)} holds no volumes ({', '.join(SUFFIXES)}): {found}")
    return _split(root, files, notes)


def _split(root: Path, files: list[Path], notes: list[str]) -> VolumeFiles:
    """Split files by their folders, or by a hash."""
    subsets = {path: find_subset(relative_name(root, path))[1] for path in files}
    train = [path for path in files if subsets[path] not in VALIDATION_NAMES]
    if not train:
        raise UsageError(f"{printable_path(root)} has validation volumes only: add some in train/")
    for name in VALIDATION_NAMES:
        if held_out := [path for path in files if subsets[path] == name]:
            return VolumeFiles(train, held_out[:VALIDATION_MAX], notes)
    return VolumeFiles(*split_validation(train, lambda path: relative_name(root, path)), notes)


class VolumeDataset(SampleDataset):
    """A dataset of `volume`, (1, S, S, S) bool, in memory, where a voxel takes one bit.

    Args:
        bits: the bits of each volume, (S^3 / 8,) uint8.
        size: S, the side in voxels.
    """

    faster_without_workers = True

    def __init__(self, bits: Sequence[Bits], size: int) -> None:
        self.bits, self.size = bits, size

    def __len__(self) -> int:
        return len(self.bits)

    def sample(self, key: SampleKey) -> Sample:
        return {"volume": torch.from_numpy(self.volume(key.index))[None]}

    def volume(self, index: int) -> Volume:
        """Return a volume, (S, S, S)."""
        return np.unpackbits(self.bits[index]).view(bool).reshape(3 * (self.size,))

    def volumes(self) -> Iterator[Volume]:
        """Yield all volumes."""
        return map(self.volume, range(len(self)))

    def spread(self, count: int) -> Iterator[Volume]:
        """Yield so many volumes, or all if there are fewer, that are spread evenly over the dataset."""
        return map(self.volume, np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))


@dataclass(frozen=True)
class Volumes:
    """The volumes of a folder.

    Attributes:
        files: the files that could be read.
        train, validation: their volumes.
        errors: the error messages of the others.
        notes: messages about what is left out, and about meshes with holes.
        side: the longest side of the voxels of any file.
    """

    files: VolumeFiles
    train: VolumeDataset
    validation: VolumeDataset
    errors: list[str]
    notes: list[str]
    side: int

    @property
    def summary(self) -> str:
        """Return the number of training and validation volumes in words."""
        return f"{len(self.train)} training volumes, {len(self.validation)} validation volumes"

    @property
    def hints(self) -> list[str]:
        """Return a hint if the volumes are smaller than the cubes that they are in."""
        size = self.train.size
        if self.side > size // 2:
            return []
        return [
            f"no volume has more than {self.side} voxels a side, so all are centred in empty cubes of {size}:"
            f" --image-size {size // 2} trains them without"
        ]


def read_volumes(data: str | None, size: int) -> Volumes:
    """Find and read the volumes of a folder; a file that cannot be read does not stop the others.

    Args:
        size: the side in voxels.

    Raises:
        UsageError: as for `find_volumes`, or there are meshes and trimesh is not installed.
        DataError: no file for training can be read.
    """
    found = find_volumes(data)
    meshes = [path for path in found.files() if path.suffix.lower() in MESH_SUFFIXES]
    if meshes:
        require_packages(EXTRA, f"to read {printable_path(meshes[0])}", "trimesh")
    results = dict(zip(found.files(), _read_all(found.files(), size), strict=True))
    errors = [result for result in results.values() if isinstance(result, str)]
    read = {path: result for path, result in results.items() if not isinstance(result, str)}
    files = replace(
        found,
        train=[path for path in found.train if path in read],
        validation=[path for path in found.validation if path in read],
    )
    if not files.train:
        raise DataError(f"no training volume can be read (the first error: {errors[0]})")
    notes = [*found.notes, *(f"left out: {error}" for error in errors)]
    if open_meshes := [str(path) for path, file in read.items() if file.has_holes]:
        notes.append(
            f"meshes with holes have no inside, so only their surface is occupied ({len(open_meshes)}):"
            f" {list_names(open_meshes)}"
        )
    train, validation = (
        VolumeDataset([read[path].bits for path in paths], size) for paths in (files.train, files.validation)
    )
    side = max(file.side for file in read.values())
    return Volumes(files, train, validation, errors, notes, side)


class _PackedFile(NamedTuple):
    """A file that was read: the bits of its volume, and what `VolumeFile` says of it."""

    bits: Bits
    side: int
    has_holes: bool


def _read_all(files: Sequence[Path], size: int) -> Iterator[_PackedFile | str]:
    """Read files; yield for each its volume, or an error message."""

    def read(path: Path) -> _PackedFile | str:
        try:
            file = read_volume(path, size)
        except DataError as error:
            return str(error)
        return _PackedFile(np.packbits(file.volume), file.side, file.has_holes)

    with ThreadPoolExecutor(THREADS) as pool:
        yield from track(pool.map(read, files), len(files), "reading volumes", "volumes")


def check_volumes(folder: str, size: int) -> DatasetCheck | None:
    """Report what 3dgan would use of a folder, after reading every file.

    Args:
        size: the largest side that it trains, in voxels.

    Returns:
        None if the folder holds images, or no volumes.
    """
    try:
        root = locate_data(folder)
        if not isinstance(root, Path) or scan_folder(root).images:
            return None
        find_volumes(folder)
    except UsageError:
        return None
    volumes = read_volumes(folder, size)
    lines = [f"3dgan would use {volumes.summary}", *volumes.hints, *volumes.notes]
    return DatasetCheck(lines, problems=volumes.errors)
