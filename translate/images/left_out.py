"""The files of a folder that are left out: which suffixes these are, the reasons, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.images.files import list_names


@dataclass(frozen=True)
class Reason:
    """A reason why files are left out, with the remedy: `one` for one file, `many` for several."""

    one: str
    many: str


UNDECODABLE = Reason(
    "cannot be decoded: convert it to JPEG, PNG or TIFF",
    "cannot be decoded: convert them to JPEG, PNG or TIFF",
)
RAW = Reason("camera raw: develop it to JPEG or TIFF", "camera raw: develop them to JPEG or TIFF")
VIDEO = Reason("a video: extract its frames", "videos: extract their frames")
ARCHIVE = Reason("an archive: unpack it", "archives: unpack them")
ARRAY = Reason("an array: save its images as PNG or TIFF", "arrays: save their images as PNG or TIFF")
DOCUMENT = Reason("a document: save its pages as PNG", "documents: save their pages as PNG")
OTHER = Reason("no image", "no images")
CLOSED = Reason("without permission to read", "without permission to read")
UNLISTABLE = Reason("that cannot be listed", "that cannot be listed")

_SUFFIXES = {
    UNDECODABLE: "avif dcm exr hdr heic heics heif hif ico j2k jp2 jpf jpx jxl pam pcx pfm psb psd qoi svg"
    " svgz xcf",
    RAW: "3fr arw cr2 cr3 crw dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw"
    " x3f",
    VIDEO: "3gp avi flv lrv m2ts m4v mkv mov mp4 mpeg mpg mts ogv webm wmv",
    ARCHIVE: "7z bz2 gz rar tar tgz xz zip zst",
    ARRAY: "arrow fits h5 hdf5 lmdb mat nii npy npz parquet tfrecord",
    DOCUMENT: "ai doc docx eps pdf ppt pptx ps",
    # Files that stand beside images. A .thm is a thumbnail, which would count as an image by its content.
    OTHER: "aae bib cfg cls css csv db doc htm html ini json jsonl log md md5 pp3 py rtf sha256 srt thm"
    " tsv txt url xls xlsx xml xmp yaml yml",
}
REASONS = {f".{name}": reason for reason, names in _SUFFIXES.items() for name in names.split()}
# Suffixes of image files that cannot be read. They are reported, so that no image is skipped silently.
UNREADABLE_SUFFIXES = frozenset(suffix for suffix, reason in REASONS.items() if reason in (UNDECODABLE, RAW))
RAW_SUFFIXES = frozenset(suffix for suffix, reason in REASONS.items() if reason is RAW)


@dataclass(frozen=True)
class LeftOut:
    """A file or a folder that is left out, and the reason."""

    path: Path
    reason: Reason


def leave_out(path: Path) -> LeftOut:
    """Return a file as left out, for the reason that its suffix gives."""
    return LeftOut(path, REASONS.get(path.suffix.lower(), OTHER))


def summarize_left_out(left_out: Sequence[LeftOut]) -> str:
    """Return what is left out, counted by suffix, with reasons and remedies; empty if nothing is.

    An example: `left out: 3 .heic (cannot be decoded: convert them to JPEG, PNG or TIFF); 5 .txt (no images)`
    """
    groups = {
        reason: [entry.path for entry in left_out if entry.reason is reason]
        for reason in (*_SUFFIXES, CLOSED, UNLISTABLE)
    }
    texts = [_describe(reason, paths) for reason, paths in groups.items() if paths]
    return f"left out: {'; '.join(texts)}" if texts else ""


def undecodable_images(left_out: Iterable[LeftOut]) -> list[Path]:
    """Return the files that are images, but cannot be decoded."""
    return [entry.path for entry in left_out if entry.reason in (UNDECODABLE, RAW)]


def unreadable_folders(left_out: Iterable[LeftOut]) -> list[Path]:
    """Return the folders that may hold images, but cannot be searched."""
    return [entry.path for entry in left_out if entry.reason in (CLOSED, UNLISTABLE)]


def _describe(reason: Reason, paths: list[Path]) -> str:
    if reason in (CLOSED, UNLISTABLE):
        folders = "folder" if len(paths) == 1 else "folders"
        return f"{len(paths)} {folders} {reason.one}: {list_names([f'{path}/' for path in paths])}"
    counts = Counter(path.suffix.lower() or "without suffix" for path in paths)
    numbers = [f"{count} {suffix}" for suffix, count in sorted(counts.items())]
    names = list_names(numbers) if reason is OTHER else ", ".join(numbers)
    return f"{names} ({reason.one if len(paths) == 1 else reason.many})"
