"""Find the value range of a dataset: the stored values of black and white, one range for each domain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from translate.config.value_range import AUTO, ValueRange, format_ranges, parse_ranges
from translate.data.discovery.location import ImageSource
from translate.data.discovery.tar import Member
from translate.errors import DataError
from translate.images import FORMATS, FileType, Pixels, inspect_file, read_stored_values, saved_as_file

THREADS = 4
FULL_BITS = 2**14  # Integers of 16 bits that reach this value use all of their range.
NO_DATA = 1e30  # Floats beyond this stand for missing data.
SURVEYED_MEMBERS = 256  # The images of tar files that are looked at, because each must be copied for it.
BLANK_CHECKS = 64  # The number of images that show whether a set is almost black or white.
BLANK = 8  # A set is almost black or white if 99.9% of its values are at most so many levels of 255 from it.


@dataclass(frozen=True)
class StoredValues:
    """The value ranges of a dataset.

    Attributes:
        text: the ranges of the domains A and B, as `--range` takes them.
        by_file: the range of each file that has one.
        notes: lines for the user: the ranges found, and the pages and bands that are left out.
    """

    text: str
    by_file: Mapping[ImageSource, ValueRange] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_value_ranges(given: str, a: Sequence[ImageSource], b: Sequence[ImageSource] = ()) -> StoredValues:
    """Return the value ranges of the files of one or two domains.

    Only 16-bit integers and floats are decoded for it, and of the integers only as many as it takes to find
    one that uses all 16 bits.

    Args:
        given: the value of `--range`; `auto` looks at the files.

    Raises:
        DataError: floats stand for missing data.
    """
    domains = [domain for domain in (a, b) if domain]
    if given != AUTO:
        ranges = parse_ranges(given)[: len(domains)]
        return StoredValues(given, _by_file(domains, ranges))
    with ThreadPoolExecutor(THREADS) as pool:
        types = [dict(zip(domain, pool.map(_inspect, domain), strict=True)) for domain in map(_some, domains)]
    ranges = tuple(_measure([file for file, found in domain.items() if found.is_deep]) for domain in types)
    notes = [
        f"{_name(number, domains)} values from {found.low:g} to {found.high:g}, which become black and white"
        " (--range LOW,HIGH sets others)"
        for number, found in enumerate(ranges)
        if found
    ]
    if len(set(ranges)) == 1 and len(notes) > 1:
        notes = [notes[0].replace("the images of A store", "the images store")]
    text = format_ranges(ranges[0], ranges[-1])
    return StoredValues(text, _by_file(domains, ranges), notes + _left_out(types))


def _name(number: int, domains: Sequence[object]) -> str:
    return f"the images of {'AB'[number]} store" if len(domains) > 1 else "the images store"


def _by_file(
    domains: Iterable[Sequence[ImageSource]], ranges: Iterable[ValueRange | None]
) -> dict[ImageSource, ValueRange]:
    return {file: found for domain, found in zip(domains, ranges, strict=True) if found for file in domain}


def _some(files: Sequence[ImageSource]) -> Sequence[ImageSource]:
    """Return the files that are looked at: all, but of tar files only the first."""
    return files[:SURVEYED_MEMBERS] if files and isinstance(files[0], Member) else files


def _inspect(source: ImageSource) -> FileType:
    if FORMATS.get(source.suffix.lower(), "TIFF") not in ("PNG", "TIFF"):
        return FileType()  # Files of other formats are not opened: there may be many of them.
    with saved_as_file(source) as path:
        return inspect_file(path)


def _measure(files: Sequence[ImageSource]) -> ValueRange | None:
    """Return the range of files of 16-bit integers or floats; None if their type has the range they use."""
    low, high, has_floats = math.inf, -math.inf, False
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), THREADS):
            for values in pool.map(_extremes, files[start : start + THREADS]):
                if values is None:
                    continue
                has_floats = has_floats or values[2]
                low, high = min(low, values[0]), max(high, values[1])
                if max(-low, high) > NO_DATA:
                    raise DataError(
                        f"float pixels reach from {low:g} to {high:g}, which stands for missing data:"
                        " give the values of black and white with --range LOW,HIGH"
                    )
            if not has_floats and high >= FULL_BITS:
                return None
    if high <= low:
        return None
    if has_floats:
        return None if low >= 0 and high <= 1 else ValueRange(low, high)
    return ValueRange(0, 2 ** int(high).bit_length() - 1)


def _extremes(source: ImageSource) -> tuple[float, float, bool] | None:
    """Return the lowest and the highest value of a file, and whether they are floats; None if unreadable."""
    try:
        pixels = read_stored_values(source)
    except DataError:  # The check of the files reports it.
        return None
    low, high = float(pixels.min()), float(pixels.max())
    return (low, high, pixels.dtype == np.float32) if math.isfinite(low + high) else None


def refuse_blank(images: Iterable[Pixels], domains: str = "") -> None:
    """Refuse a set of images that is almost black or almost white after scaling.

    Args:
        images: some of its images, or pairs of images, (..., H, W, C) uint8.
        domains: "A" or "B" if the images are those of one domain of two, "AB" if they are pairs of both.

    Raises:
        DataError: it is.
    """
    if problem := describe_blank(images, domains):
        raise DataError(problem)


def describe_blank(images: Iterable[Pixels], domains: str = "") -> str:
    """Return the problem of a set of images that is almost black or white, with the remedy; else empty.

    The arguments are those of `refuse_blank`.
    """
    counts: npt.NDArray[np.int64] = np.zeros((2, 256), np.int64)
    for image in images:
        sides = image if image.ndim == 4 else image[None]
        for row, side in zip(counts, sides, strict=False):
            row += np.bincount(side.ravel(), minlength=256)
    problems = [
        _describe_blank(row, domains[side : side + 1]) for side, row in enumerate(counts) if row.any()
    ]
    return next(filter(None, problems), "")


def _describe_blank(counts: npt.NDArray[np.int64], domain: str) -> str:
    name = f"the images of {domain}" if domain else "the images"
    other = {
        "A": " (--range LOW,HIGH:LOW,HIGH if those of B differ)",
        "B": " (--range LOW,HIGH:LOW,HIGH if those of A differ)",
    }.get(domain, "")
    share = counts.cumsum() / counts.sum()
    low, high = int(np.searchsorted(share, 0.001)), int(np.searchsorted(share, 0.999))
    if high <= BLANK:
        return (
            f"{name} are almost black (99.9% of the values are at most {high} of 255): give the stored"
            f" values of black and white, such as --range 0,{max(high, 1)}{other}"
        )
    if low >= 255 - BLANK:
        return (
            f"{name} are almost white (99.9% of the values are at least {low} of 255): give the stored"
            f" values of black and white with --range LOW,HIGH{other}"
        )
    return ""


def _left_out(domains: Iterable[Mapping[ImageSource, FileType]]) -> list[str]:
    """Return notes on the pages and bands that are not read."""
    types = [found for domain in domains for found in domain.values()]
    stacks = [found.pages for found in types if found.pages > 1]
    bands = sum(found.has_unspecified_band for found in types)
    notes = []
    if stacks:
        notes.append(
            f"{len(stacks)} files have more than one page: the first page of each is used, and"
            f" {sum(stacks) - len(stacks)} pages are left out (save them as files of their own)"
        )
    if bands:
        notes.append(
            f"{bands} files have bands that they do not call alpha (ExtraSamples): they are left out"
        )
    return notes
