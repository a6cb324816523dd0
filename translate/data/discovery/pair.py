"""Pair images: two folders by stem, tar files by sample name, or the halves of joined A|B files."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from os.path import commonpath
from pathlib import Path, PurePosixPath

from translate.data.discovery.layout import DOMAINS, SEPARATORS, normalize_name
from translate.data.discovery.location import ImageSource, describe_left_out, relative_name
from translate.data.discovery.shards import Shards
from translate.data.discovery.split import ImageSet
from translate.data.discovery.tar import Member
from translate.errors import DataError, UsageError
from translate.images import printable_path, read_size, saved_as_file

MAX_FILES, MAX_MEMBERS = 1000, 32  # The number of joined files whose sizes are checked; those in tar files.
JOINED_RATIOS = (1.8, 2.2)  # The width of a joined file by its height is about 2, if A and B are square.
MIN_JOINED_RATIO = 1.25  # The halves of a file that is less wide are narrow strips.


@dataclass(frozen=True)
class Pair:
    """A pair of images: two files, or the left and right halves of one joined file (then `b` is None)."""

    a: ImageSource
    b: ImageSource | None = None

    @property
    def files(self) -> tuple[ImageSource, ...]:
        """Return the files of the pair, one or two."""
        return (self.a,) if self.b is None else (self.a, self.b)


@dataclass(frozen=True)
class Pairing:
    """The pairs of a dataset.

    Attributes:
        notes: messages on files without a partner.
        rule: how the names of partners differ, with an example; empty if their stems are equal.
    """

    pairs: list[Pair]
    notes: list[str]
    rule: str = ""


def pair_joined(images: ImageSet) -> list[Pair]:
    """Take images as joined A|B files.

    Raises:
        UsageError: they are none, because sub-folders hold files of the same names.
    """
    _refuse_sub_folders_of_pairs(images)
    return [Pair(image) for image in images.images]


def _refuse_sub_folders_of_pairs(images: ImageSet) -> None:
    """Refuse images in sub-folders that share most of their names, because such images are pairs."""
    if not isinstance(images.location, Path):
        return
    names = {str(path): PurePosixPath(relative_name(images.location, path)) for path in images.images}
    depth = len(PurePosixPath(commonpath([str(path.parent) for path in names.values()])).parts)
    stems: dict[str, set[str]] = defaultdict(set)
    for path in names.values():
        if len(path.parts) > depth + 1:
            folder = images.location.joinpath(*path.parts[: depth + 1])
            stems[str(folder)].add(str(PurePosixPath(*path.parts[depth + 1 :]).with_suffix("")))
    for a, b in combinations(stems, 2):
        if 2 * len(stems[a] & stems[b]) > min(len(stems[a]), len(stems[b])):
            a, b = printable_path(a), printable_path(b)
            raise UsageError(
                f"{a} and {b} hold files of the same names, so they are not read as joined A|B files:"
                f" give --domainA {a} --domainB {b}, or put joined files into one folder"
            )


def check_joined(files: Sequence[ImageSource]) -> tuple[list[str], str]:
    """Check whether files that are read as joined A|B files are about twice as wide as high.

    Returns:
        A note on some files that are not; and, if most of them are not, a warning instead.

    Raises:
        UsageError: most of the files are hardly wider than high.
    """
    sizes = {file: size for file in _some(files) if (size := _size(file))}
    odd = [file for file, size in sizes.items() if not has_joined_shape(size)]
    if not odd:
        return [], ""
    width, height = sizes[odd[0]]
    are = "is" if len(odd) == 1 else "are"
    text = (
        f"{len(odd)} of {len(sizes)} files that are read as joined A|B files {are} not about twice as wide as"
        f" high (such as {printable_path(str(odd[0]))}, {width} x {height})"
    )
    remedy = "give two folders with --domainA DIR --domainB DIR"
    if 2 * sum(width < MIN_JOINED_RATIO * height for width, height in sizes.values()) > len(sizes):
        raise UsageError(f"{text}: {remedy}")
    text = f"{text}: if they are no pairs, {remedy}"
    return ([], text) if 2 * len(odd) > len(sizes) else ([text], "")


def has_joined_shape(size: tuple[int, int]) -> bool:
    """Return whether an image of this width and height is about twice as wide as high."""
    width, height = size
    return JOINED_RATIOS[0] * height <= width <= JOINED_RATIOS[1] * height


def _some(files: Sequence[ImageSource]) -> Sequence[ImageSource]:
    """Return files that are spread evenly over a dataset; of tar files the first, to open few of them."""
    if files and isinstance(files[0], Member):
        return files[:MAX_MEMBERS]
    return files[:: -(-len(files) // MAX_FILES) or 1]


def _size(source: ImageSource) -> tuple[int, int] | None:
    """Return width and height of an image; None if it cannot be read, which is reported elsewhere."""
    try:
        with saved_as_file(source) as path:
            return read_size(path)
    except DataError:
        return None


def pair_by_stem(images_a: ImageSet, images_b: ImageSet) -> Pairing:
    """Pair the images of two folders by relative path without suffix, such as `sub/1.jpg` and `sub/1.png`.

    Stems without an equal one are compared in lower case. If no stem has a partner then, an ending that all
    stems of a folder share, or a word such as `mask` before them, is left out: `1.png` and `1_mask.png`.

    Raises:
        UsageError: two files of one folder share a stem, or no file has a partner.
    """
    a, b = (_sources_by_stem(images) for images in (images_a, images_b))
    # Images of a tar file stay next to each other, because they are read from it one after the other.
    order: Callable[[Iterable[str]], list[str]] = list if isinstance(images_a.location, Shards) else sorted
    partners = {stem: stem for stem in order(a.keys()) if stem in b}
    rule = ""
    if by_case := _match_ignoring_case(a.keys() - partners, b.keys() - set(partners.values())):
        partners |= by_case
        rule = "pairs by names that differ in upper and lower case"
    if not partners:
        partners, rule = _match_undecorated(a.keys(), b.keys())
    if not partners:
        names = " and ".join(printable_path(str(sources[min(sources)])) for sources in (a, b))
        raise UsageError(
            f"no image of {images_a} has a partner in {images_b}:"
            f" give the two images of a pair the same stem, unlike {names}"
        )
    if rule:
        example = min((by_case or partners).items())
        names = " and ".join(
            printable_path(side[stem].name) for side, stem in zip((a, b), example, strict=True)
        )
        rule = f"{rule}, such as {names}"
    notes = []
    used = (partners.keys(), set(partners.values()))
    for sources, paired, other in ((a, used[0], images_b), (b, used[1], images_a)):
        if stems := sorted(sources.keys() - paired):
            unpaired = [sources[stem] for stem in stems]
            notes.append(describe_left_out(f"without a partner in {other}", unpaired))
    return Pairing([Pair(a[stem], b[partners[stem]]) for stem in order(partners)], notes, rule)


def _sources_by_stem(images: ImageSet) -> dict[str, ImageSource]:
    sources: dict[str, ImageSource] = {}
    for source in images.images:
        stem = _stem(images, source)
        if stem in sources:
            first = sources[stem].name
            raise UsageError(f"{printable_path(str(source))} and {first} share a stem: rename one of them")
        sources[stem] = source
    return sources


def _stem(images: ImageSet, source: ImageSource) -> str:
    """Return the name that an image shares with its partner."""
    if isinstance(source, Member):
        return source.key
    return str(PurePosixPath(images.name(source)).with_suffix(""))


def _match_ignoring_case(a: Iterable[str], b: Iterable[str]) -> dict[str, str]:
    """Return the stem of B for each stem of A that equals it in lower case, if no other stem does."""
    by_key = [_group(stems, _fold_case) for stems in (a, b)]
    return {
        stems[0]: by_key[1][key][0]
        for key, stems in by_key[0].items()
        if len(stems) == 1 and len(by_key[1].get(key, ())) == 1
    }


def _group(stems: Iterable[str], key: Callable[[str], str]) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        groups[key(stem)].append(stem)
    return groups


def _fold_case(stem: str) -> str:
    # macOS writes accents as characters of their own.
    return unicodedata.normalize("NFC", stem).casefold()


def _match_undecorated(a: Iterable[str], b: Iterable[str]) -> tuple[dict[str, str], str]:
    """Pair stems without what all stems of a folder share, as `1` and `1_mask`; return them and the rule."""
    stems = [{_fold_case(stem): stem for stem in sorted(side)} for side in (a, b)]
    best: tuple[dict[str, str], str] = ({}, "")
    for decoration_a, without_a in _undecorated(stems[0]).items():
        for decoration_b, without_b in _undecorated(stems[1]).items():
            common = sorted(without_a.keys() & without_b.keys())
            if len(common) > len(best[0]):
                parts = [
                    f"{decoration!r} of {domain}"
                    for decoration, domain in ((decoration_a, "A"), (decoration_b, "B"))
                    if decoration
                ]
                rule = f"pairs by stems without {' and '.join(parts)}"
                best = ({without_a[stem]: without_b[stem] for stem in common}, rule)
    return best


def _undecorated(stems: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return, for each ending or beginning that all stems share, the stems by what is left without it."""
    keys = [PurePosixPath(key).name for key in stems]
    ending, beginning = _common_start([key[::-1] for key in keys])[::-1], _common_start(keys)
    tails = [ending[start:] for start in range(len(ending)) if _is_ending(ending[start:], keys)]
    words = {normalize_name(word) for names in DOMAINS.values() for word in names}
    heads = [
        beginning[: end + 1]
        for end in range(len(beginning))
        if normalize_name(beginning[: end + 1]) in words
        and (beginning[end] in SEPARATORS or all(key[end + 1 :][:1].isdecimal() for key in keys))
    ]
    return {
        "": dict(stems),
        **{tail: {key.removesuffix(tail): stem for key, stem in stems.items()} for tail in tails},
        **{head: {_without_head(key, head): stem for key, stem in stems.items()} for head in heads},
    }


def _common_start(names: Collection[str]) -> str:
    """Return the longest string that all names start with."""
    first, last = min(names), max(names)  # What these two share, all names between them share.
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _is_ending(tail: str, keys: list[str]) -> bool:
    """Return whether a common ending is one of its own: behind a separator, or letters behind a number."""
    if not any(character.isalpha() for character in tail) or any(key == tail for key in keys):
        return False
    return tail[0] in SEPARATORS or (
        tail.isalpha() and all(key.removesuffix(tail)[-1].isdecimal() for key in keys)
    )


def _without_head(key: str, head: str) -> str:
    path = PurePosixPath(key)
    return str(path.with_name(path.name.removeprefix(head)))


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
        return Pairing([Pair(*group) for group in groups], shards.notes)
    unpaired = [member for group in groups if len(group) == 1 for member in group]
    notes = [describe_left_out("without a partner of the same name", unpaired)] if unpaired else []
    return Pairing([Pair(*group) for group in groups if len(group) == 2], shards.notes + notes)
