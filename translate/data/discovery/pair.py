"""Pair images: two folders by stem, tar files by sample name, or the halves of joined A|B files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from translate.data.discovery.location import (
    DataLocation,
    ImageSource,
    describe_left_out,
    list_images,
    relative_name,
    shard_notes,
)
from translate.data.discovery.shards import Shards
from translate.data.discovery.split import VALIDATION_NAMES
from translate.data.discovery.tar import Member
from translate.errors import UsageError
from translate.images import printable_path


@dataclass(frozen=True)
class Pair:
    """A pair of images: two files, or the left and right halves of one joined file (then `b` is None)."""

    a: ImageSource
    b: ImageSource | None = None

    @property
    def files(self) -> tuple[ImageSource, ...]:
        """Return the files of the pair, one or two."""
        return (self.a,) if self.b is None else (self.a, self.b)


Pairing = tuple[list[Pair], list[str]]  # Pairs, and notes on files without a partner.


def pair_joined(folder: Path) -> Pairing:
    """Find joined A|B files in a folder and its sub-folders, except in val/ and test/.

    Raises:
        UsageError: there are no images, or all of them are in val/ or test/.
    """
    top_folders = [(path, relative_name(folder, path).partition("/")[0]) for path in list_images(folder)]
    pairs = [Pair(path) for path, top in top_folders if top not in VALIDATION_NAMES]
    if not pairs:
        raise UsageError(f"{folder} has validation images but no training images: add some in train/")
    return pairs, []


def pair_by_stem(location_a: DataLocation, location_b: DataLocation) -> Pairing:
    """Pair the images of two folders by relative path without suffix, such as `sub/1.jpg` and `sub/1.png`.

    Raises:
        UsageError: two files of one folder share a stem, or no file has a partner.
    """
    a, b = (_sources_by_stem(location) for location in (location_a, location_b))
    notes = shard_notes(location_a, location_b)
    for sources, partners, partner_location in ((a, b, location_b), (b, a, location_a)):
        if stems := sorted(sources.keys() - partners.keys()):
            unpaired = [sources[stem] for stem in stems]
            notes.append(describe_left_out(f"without a partner in {partner_location}", unpaired))
    # Images of a tar file stay next to each other, because they are read from it one after the other.
    common = (
        [stem for stem in a if stem in b] if isinstance(location_a, Shards) else sorted(a.keys() & b.keys())
    )
    if not common:
        raise UsageError(
            f"no image of {location_a} has a partner in {location_b}:"
            " give the two images of a pair the same stem"
        )
    return [Pair(a[stem], b[stem]) for stem in common], notes


def _sources_by_stem(location: DataLocation) -> dict[str, ImageSource]:
    sources: dict[str, ImageSource] = {}
    for source in list_images(location):
        stem = _stem(location, source)
        if stem in sources:
            first = sources[stem].name
            raise UsageError(f"{printable_path(str(source))} and {first} share a stem: rename one of them")
        sources[stem] = source
    return sources


def _stem(location: DataLocation, source: ImageSource) -> str:
    """Return the name that an image shares with its partner."""
    if isinstance(source, Member):
        return source.key
    return relative_name(location, source.with_suffix(""))


def pair_by_key(shards: Shards) -> Pairing:
    """Pair the two images of each sample in tar files, A and B by the order of their names.

    If every sample has a single image, these are joined A|B files.

    Raises:
        UsageError: a sample has more than two images.
    """
    groups = shards.groups()
    if too_large := next((group for group in groups if len(group) > 2), None):
        names = ", ".join(printable_path(member.name) for member in too_large)
        raise UsageError(
            f"{too_large[0].shard} has more than two images of one sample ({names}): keep one or two of them"
        )
    if all(len(group) == 1 for group in groups):
        return [Pair(*group) for group in groups], shards.notes
    unpaired = [member for group in groups if len(group) == 1 for member in group]
    notes = [describe_left_out("without a partner of the same name", unpaired)] if unpaired else []
    return [Pair(*group) for group in groups if len(group) == 2], shards.notes + notes
