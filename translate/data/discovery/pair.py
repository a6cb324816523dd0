"""Pairing images: two folders by stem, tar files by name, or joined A|B files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from translate.data.discovery.location import (
    DataLocation,
    ImageSource,
    describe_files,
    list_images,
    name_in,
    shard_notes,
)
from translate.data.discovery.shards import Shards
from translate.data.discovery.split import VALIDATION_NAMES
from translate.data.discovery.tar import Member
from translate.errors import UsageError
from translate.images import printable_path


@dataclass(frozen=True)
class Pair:
    """Two images that belong together: two files, or the halves of one joined file (`b` is None)."""

    a: ImageSource
    b: ImageSource | None = None

    @property
    def files(self) -> tuple[ImageSource, ...]:
        return (self.a,) if self.b is None else (self.a, self.b)


Pairing = tuple[list[Pair], list[str]]  # pairs, and notes on files that have no partner


def pair_joined(folder: Path) -> Pairing:
    """Find joined A|B files, flat or in sub-folders, without those of a val/ or test/ among these.

    Raises:
        UsageError: there are no images, or none outside of val/ and test/.
    """
    top_folders = [(path, name_in(folder, path).partition("/")[0]) for path in list_images(folder)]
    pairs = [Pair(path) for path, top in top_folders if top not in VALIDATION_NAMES]
    if not pairs:
        raise UsageError(f"{folder} holds images to score by only: put those to train on into train/")
    return pairs, []


def pair_by_stem(place_a: DataLocation, place_b: DataLocation) -> Pairing:
    """Match two folders by path and stem (`sub/1.jpg` and `sub/1.png`), and note what has no partner.

    Raises:
        UsageError: two files of a folder share a stem, or no file has a partner.
    """
    a, b = (_sources_by_stem(place) for place in (place_a, place_b))
    notes = shard_notes(place_a, place_b)
    for own, other, place in ((a, b, place_b), (b, a, place_a)):
        if lonely := sorted(own.keys() - other.keys()):
            notes.append(describe_files(f"no partner in {place}, left out", [own[stem] for stem in lonely]))
    # Images of a tar file stay next to each other, because they are read from it one after the other.
    stems = [stem for stem in a if stem in b] if isinstance(place_a, Shards) else sorted(a.keys() & b.keys())
    if not stems:
        raise UsageError(f"no file of {place_a} has a partner of the same stem in {place_b}")
    return [Pair(a[stem], b[stem]) for stem in stems], notes


def _sources_by_stem(place: DataLocation) -> dict[str, ImageSource]:
    sources: dict[str, ImageSource] = {}
    for source in list_images(place):
        stem = source.key if isinstance(source, Member) else name_in(place, source.with_suffix(""))
        if stem in sources:
            first = sources[stem].name
            raise UsageError(f"{printable_path(str(source))} and {first} share a stem: rename one of them")
        sources[stem] = source
    return sources


def pair_by_key(shards: Shards) -> Pairing:
    """Pair the two images of each key, A and B in the order of their names; or take one of each, joined.

    Raises:
        UsageError: a key has more than two images.
    """
    groups = shards.groups()
    if many := next((group for group in groups if len(group) > 2), None):
        names = ", ".join(printable_path(member.name) for member in many)
        raise UsageError(f"{many[0].shard} has more than two images of one name: {names}: leave one or two")
    if all(len(group) == 1 for group in groups):
        return [Pair(*group) for group in groups], shards.notes
    lonely = [member for group in groups if len(group) == 1 for member in group]
    notes = [describe_files("no partner of the same name, left out", lonely)] if lonely else []
    return [Pair(*group) for group in groups if len(group) == 2], shards.notes + notes
