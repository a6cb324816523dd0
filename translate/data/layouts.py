"""Finding the pictures of a data set: which folders, which pairs, what is held out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from translate.data.shards import CACHE_SIZE, Member, Shards, find_shards
from translate.errors import UsageError, nearest
from translate.images import find_pictures, picture_name

DATASETS = Path("datasets")
HELD_OUT_SHARE, HELD_OUT_MOST = 20, 50
HELD_OUT_NAMES = ("val", "test")
TWO_WAYS = "--data DIR, or --domainA DIR and --domainB DIR"  # to say where two kinds of pictures are
NAMED = 5  # files that a message names before it only counts

Source = Path | Member  # a picture: a file, or one in a tar file
Place = Path | Shards  # where pictures are


@dataclass(frozen=True)
class Pair:
    """Two pictures that belong together: two files, or the halves of one (`b` is None)."""

    a: Source
    b: Source | None = None

    @property
    def files(self) -> tuple[Source, ...]:
        return (self.a,) if self.b is None else (self.a, self.b)


@dataclass
class Paired:
    """Pairs to train on and pairs held out, with what a person should be told about them."""

    train: list[Pair]
    held_out: list[Pair]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Source]:
        return [file for pair in self.train for file in pair.files] + self.files_held_out()

    def files_held_out(self) -> list[Source]:
        return [file for pair in self.held_out for file in pair.files]

    def without(self, bad: Collection[Source], notes: list[str]) -> Paired:
        """The same but for the pairs that hold a bad file."""
        train, held_out = (
            [pair for pair in part if not any(file in bad for file in pair.files)]
            for part in (self.train, self.held_out)
        )
        return Paired(train, held_out, self.notes + notes)

    @property
    def summary(self) -> str:
        joined = any(pair.b is None for pair in self.train)
        how = " (halves of one file, A left and B right)" if joined else ""
        return f"{len(self.train)} pairs{how} to train on, {len(self.held_out)} held out"


@dataclass
class Unpaired:
    """Two kinds of pictures, (A, B), to train on and held out."""

    train: tuple[list[Source], list[Source]]
    held_out: tuple[list[Source], list[Source]]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Source]:
        return [file for side in self.train for file in side] + self.files_held_out()

    def files_held_out(self) -> list[Source]:
        return [file for side in self.held_out for file in side]

    def without(self, bad: Collection[Source], notes: list[str]) -> Unpaired:
        """The same but for the bad files."""
        train_a, train_b, held_a, held_b = (
            [file for file in side if file not in bad] for side in self.train + self.held_out
        )
        return Unpaired((train_a, train_b), (held_a, held_b), self.notes + notes)

    @property
    def summary(self) -> str:
        (a, b), (held_a, held_b) = self.train, self.held_out
        return f"{len(a)} + {len(b)} pictures to train on, {len(held_a)} + {len(held_b)} held out"


@dataclass
class Photos:
    """Pictures of one kind, to train on and held out."""

    train: list[Source]
    held_out: list[Source]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Source]:
        return self.train + self.held_out

    def files_held_out(self) -> list[Source]:
        return self.held_out

    def without(self, bad: Collection[Source], notes: list[str]) -> Photos:
        """The same but for the bad files."""
        train, held_out = ([file for file in part if file not in bad] for part in (self.train, self.held_out))
        return Photos(train, held_out, self.notes + notes)

    @property
    def summary(self) -> str:
        return f"{len(self.train)} photos to train on, {len(self.held_out)} held out"


Found = Paired | Unpaired | Photos


def find_paired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> Paired:
    """Pairs: of a folder of joined A|B files or of two folders; from two folders by stem; or from tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: a folder is missing, empty or given twice, or no pair is found.
    """
    if domains := _two_domains(data, domain_a, domain_b, cache_size):
        return _with_held_out(*_pair_by_stem(*domains), domains[0])
    root = place_of(data, TWO_WAYS, cache_size=cache_size)
    if isinstance(root, Shards):
        return _with_held_out(*_pair_by_key(root), root)
    pairs, notes = _paired_part(root, "train") or _paired_part(root, "") or _joined(root)
    held_out = next((found for part in HELD_OUT_NAMES if (found := _paired_part(root, part))), None)
    if held_out is None:
        return _with_held_out(pairs, notes, root)
    return Paired(pairs, held_out[0][:HELD_OUT_MOST], notes + held_out[1])


def find_unpaired(
    data: str | None, domain_a: str | None, domain_b: str | None, *, cache_size: float = CACHE_SIZE
) -> Unpaired:
    """Two kinds of pictures, of different counts: two folders, one that holds them, or two sets of tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: a folder is missing, empty or given twice.
    """
    if domains := _two_domains(data, domain_a, domain_b, cache_size):
        return _split_domains(*domains)
    root = place_of(data, TWO_WAYS, cache_size=cache_size)
    if isinstance(root, Shards):
        raise UsageError(f"{data} is one set of tar files: name two by --domainA and --domainB")
    train = _sides(root, "train") or _sides(root, "")
    if train is None:
        raise UsageError(
            f"{root} holds neither trainA/ and trainB/ nor A/ and B/:"
            " name two folders by --domainA and --domainB"
        )
    held_out = next((sides for part in HELD_OUT_NAMES if (sides := _sides(root, part))), None)
    if held_out is None:
        return _split_domains(*train)
    a, b = (_pictures(side) for side in train)
    held_a, held_b = (_pictures(side)[:HELD_OUT_MOST] for side in held_out)
    return Unpaired((a, b), (held_a, held_b))


def find_photos(data: str | None, *, cache_size: float = CACHE_SIZE) -> Photos:
    """Photos, from a flat folder or one with train/ (and val/ or test/) in it; or from tar files.

    Args:
        cache_size: gigabytes that copies of tar files from elsewhere may take.

    Raises:
        UsageError: the folder is missing or empty.
    """
    root = place_of(data, cache_size=cache_size)
    if isinstance(root, Shards):
        return Photos(*_split(root), root.notes)
    train = root / "train" if (root / "train").is_dir() else root
    held_out = next((_pictures(root / part) for part in HELD_OUT_NAMES if (root / part).is_dir()), None)
    if held_out is None:
        return Photos(*_split(train))
    apart = set(held_out)
    return Photos([path for path in _pictures(train) if path not in apart], held_out[:HELD_OUT_MOST])


def place_of(data: str | None, remedy: str = "--data DIR", *, cache_size: float = CACHE_SIZE) -> Place:
    """The folder of a data set, by its path or by its name under datasets/; or its tar files.

    Raises:
        UsageError: none is given (the remedy says what to give), or there is none.
    """
    if data is None:
        raise UsageError(f"no data: give {remedy}")
    return _place(data, cache_size)


def _place(name: str, cache_size: float) -> Place:
    return find_shards(name, cache_size) or _folder(name)


def _folder(name: str) -> Path:
    """A folder by its path, or by its name under datasets/."""
    for folder in (Path(name), DATASETS / name):
        if folder.is_dir():
            return folder
    if Path(name).exists():
        raise UsageError(f"{picture_name(name)} is a file: give the folder that holds the pictures")
    known = [f.name for f in DATASETS.iterdir() if f.is_dir()] if DATASETS.is_dir() else []
    hint = nearest(name, known) if known else "; check the path"
    raise UsageError(f"no folder {name!r}, here or under {DATASETS}/{hint}")


def _two_domains(
    data: str | None, a: str | None, b: str | None, cache_size: float
) -> tuple[Place, Place] | None:
    if a is None and b is None:
        return None
    if a is None or b is None:
        raise UsageError(f"only {'--domainB' if a is None else '--domainA'} is given: both kinds are needed")
    if data is not None:
        raise UsageError("--data and --domainA/--domainB both say where the pictures are: give one of them")
    places = (_place(a, cache_size), _place(b, cache_size))
    spots = [place.resolve() if isinstance(place, Path) else place.name for place in places]
    if spots[0] == spots[1]:
        raise UsageError(f"--domainA and --domainB are the same folder, {places[0]}: give two")
    return places


def _sides(root: Path, part: str) -> tuple[Path, Path] | None:
    """The folders trainA and trainB (or A and B, where `part` is empty), if they are there."""
    a, b = root / f"{part}A", root / f"{part}B"
    if a.is_dir() != b.is_dir():
        there, missing = (a, b) if a.is_dir() else (b, a)
        raise UsageError(
            f"{root} holds {there.name}/ but no {missing.name}/: bring both, or name two folders"
        )
    return (a, b) if a.is_dir() else None


def _pictures(place: Place) -> list[Source]:
    """The pictures below a folder, or in tar files; an empty folder is refused."""
    if isinstance(place, Shards):
        return list(place.members)
    found = find_pictures(place)
    if not found:
        raise UsageError(f"{place} holds no pictures: check the path and the suffixes of its files")
    return list(found)


def _name_in(place: Place, source: Source) -> str:
    """A picture's path below its folder; in tar files, also of its tar file."""
    if isinstance(place, Path) and isinstance(source, Path):
        return source.relative_to(place).as_posix()
    return str(source)


def _paired_part(root: Path, part: str) -> tuple[list[Pair], list[str]] | None:
    if sides := _sides(root, part):
        return _pair_by_stem(*sides)
    return _joined(root / part) if part and (root / part).is_dir() else None


def _joined(folder: Path) -> tuple[list[Pair], list[str]]:
    """Joined A|B files, flat or in sub-folders; those of a val/ or test/ beside them are not for training."""
    inside = [(path, _name_in(folder, path).partition("/")[0]) for path in _pictures(folder)]
    pairs = [Pair(path) for path, first in inside if first not in HELD_OUT_NAMES]
    if not pairs:
        raise UsageError(f"{folder} holds pictures to score by only: put those to train on into train/")
    return pairs, []


def _pair_by_stem(place_a: Place, place_b: Place) -> tuple[list[Pair], list[str]]:
    """Match two folders by path and stem (`sub/1.jpg` and `sub/1.png`); tell what has no partner."""
    a, b = (_by_stem(place) for place in (place_a, place_b))
    notes = [note for place in (place_a, place_b) if isinstance(place, Shards) for note in place.notes]
    notes += [
        told(f"no partner in {there}, left out", [mine[stem] for stem in sorted(mine.keys() - theirs.keys())])
        for mine, theirs, there in ((a, b, place_b), (b, a, place_a))
        if mine.keys() - theirs.keys()
    ]
    # Pictures of a tar file stay together: they are read so.
    stems = [stem for stem in a if stem in b] if isinstance(place_a, Shards) else sorted(a.keys() & b.keys())
    if not stems:
        raise UsageError(f"no file of {place_a} has a partner of the same stem in {place_b}")
    return [Pair(a[stem], b[stem]) for stem in stems], notes


def _by_stem(place: Place) -> dict[str, Source]:
    files: dict[str, Source] = {}
    for source in _pictures(place):
        stem = source.key if isinstance(source, Member) else _name_in(place, source.with_suffix(""))
        if stem in files:
            first = files[stem].name
            raise UsageError(f"{picture_name(str(source))} and {first} share a stem: rename one of them")
        files[stem] = source
    return files


def _pair_by_key(shards: Shards) -> tuple[list[Pair], list[str]]:
    """Two pictures of each key, A and B in the order of their names; or one of each, joined."""
    groups = shards.groups()
    if many := next((group for group in groups if len(group) > 2), None):
        shown = ", ".join(picture_name(member.name) for member in many)
        raise UsageError(f"{many[0].shard} has more than two pictures of one name: {shown}: leave one or two")
    if all(len(group) == 1 for group in groups):
        return [Pair(*group) for group in groups], shards.notes
    alone = [member for group in groups if len(group) == 1 for member in group]
    notes = [told("no partner of the same name, left out", alone)] if alone else []
    return [Pair(*group) for group in groups if len(group) == 2], shards.notes + notes


def told(what: str, files: Sequence[Source]) -> str:
    names = ", ".join(picture_name(str(path)) for path in files[:NAMED])
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{what}: {names}{more}"


Item = TypeVar("Item")


def hold_out(items: list[Item], name: Callable[[Item], str]) -> tuple[list[Item], list[Item]]:
    """Keep one in twenty, at most 50, apart: those whose names hash lowest, so that the choice
    does not change when other pictures come or go. A single picture is not split.

    Returns:
        (to train on, held out), each in the order of `items`.
    """
    count = min(HELD_OUT_MOST, math.ceil(len(items) / HELD_OUT_SHARE)) if len(items) > 1 else 0
    ranked = sorted(
        items, key=lambda item: hashlib.sha256(name(item).encode("utf-8", "surrogateescape")).digest()
    )
    chosen = {name(item) for item in ranked[:count]}
    return [i for i in items if name(i) not in chosen], [i for i in items if name(i) in chosen]


def _with_held_out(pairs: list[Pair], notes: list[str], root: Place) -> Paired:
    train, held_out = hold_out(pairs, lambda pair: _name_in(root, pair.a))
    return Paired(train, held_out, notes)


def _split_domains(place_a: Place, place_b: Place) -> Unpaired:
    (a, held_a), (b, held_b) = (_split(place) for place in (place_a, place_b))
    notes = [note for place in (place_a, place_b) if isinstance(place, Shards) for note in place.notes]
    return Unpaired((a, b), (held_a, held_b), notes)


def _split(place: Place) -> tuple[list[Source], list[Source]]:
    return hold_out(_pictures(place), lambda source: _name_in(place, source))


class HasFiles(Protocol):
    """A data set of any layout."""

    def files(self) -> Sequence[Source]: ...


def fingerprint(found: HasFiles) -> str:
    """How many files there are, and a hash of their names: whether a resumed run has its data."""
    files = found.files()
    return f"{len(files)} files, {_hash(chr(10).join(file.name for file in files))[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
