"""Find the image files in a folder, by suffix or by content, and what is left out of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from translate.errors import UsageError
from translate.images.codecs.formats import HEAD_BYTES, has_image_signature
from translate.images.files import SUFFIXES, printable_path
from translate.images.left_out import (
    CLOSED,
    RAW_SUFFIXES,
    REASONS,
    UNLISTABLE,
    UNREADABLE_SUFFIXES,
    LeftOut,
    leave_out,
    summarize_left_out,
)

FolderIdentity = tuple[int, int]  # The device and the inode of a folder, however its path leads to it.


@dataclass
class FolderScan:
    """The image files below a folder, sorted, and what else is in it, except for hidden files."""

    images: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def require_images(self, folder: Path) -> None:
        """Check that the folder holds images.

        Raises:
            UsageError: it holds none; the message has what is left out.
        """
        if self.images:
            return
        reason = summarize_left_out(self.left_out)
        if not reason:
            reason = "check the path and the suffixes of its files"
        raise UsageError(f"{printable_path(folder)} holds no images: {reason}")


def find_images(folder: Path, *, skip: Path | None = None) -> list[Path]:
    """Find all image files below a folder, and sort them; see `scan_folder`."""
    return scan_folder(folder, skip=skip).images


def scan_folder(folder: Path, *, skip: Path | None = None) -> FolderScan:
    """Find all image files below a folder, and what is left out of it; hidden files are ignored.

    A file without a known suffix is an image if its first bytes are those of an image. Links to folders are
    followed, but each folder is searched once: under its own path, if that is below `folder`.

    Args:
        skip: a folder to ignore, such as the output folder inside the input folder.
    """
    scan, visited = FolderScan(), {_identity(skip)} if skip else set()
    folders, links = [folder], list[Path]()
    while folders or links:
        # All folders come before the first link, so that a link inside the tree does not rename its images.
        path = folders.pop() if folders else links.pop(0)
        try:
            identity = _identity(path)
            if identity in visited:
                continue
            visited.add(identity)
            inner_folders, inner_links = _scan_entries(path, scan)
        except OSError as error:
            scan.left_out.append(LeftOut(path, CLOSED if isinstance(error, PermissionError) else UNLISTABLE))
            continue
        folders += inner_folders
        links = sorted(links + inner_links)
    scan.images.sort()
    scan.left_out.sort(key=lambda entry: entry.path)
    return scan


def _identity(folder: Path) -> FolderIdentity | None:
    """Return the identity of a folder; None if it does not exist."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _scan_entries(folder: Path, scan: FolderScan) -> tuple[list[Path], list[Path]]:
    """Add the files of a folder to the scan; return its sub-folders, and its links to folders."""
    folders, links = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and path.is_dir():
                links.append(path)
            elif _is_image(path):
                scan.images.append(path)
            else:
                scan.left_out.append(leave_out(path))
    return folders, links


def _is_image(path: Path) -> bool:
    """Return whether a file is an image, by its suffix or by its content."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    # A file with the suffix of a text or a video is not opened, because there may be thousands of them.
    if suffix in REASONS and suffix not in UNREADABLE_SUFFIXES:
        return False
    # Camera raw files are TIFF files in which the first image is a thumbnail.
    return _has_image_content(path, tiff=suffix not in RAW_SUFFIXES)


def _has_image_content(path: Path, *, tiff: bool) -> bool:
    """Return whether a file's first bytes are those of an image.

    Args:
        tiff: whether a TIFF counts.
    """
    try:
        if not path.is_file():  # Reading a pipe would block.
            return False
        with path.open("rb", buffering=0) as file:
            return has_image_signature(file.read(HEAD_BYTES), tiff=tiff)
    except OSError:
        return False
