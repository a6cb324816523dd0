"""Finding the pictures of a data set: which folders, which pairs, what is held out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from translate.errors import UsageError, nearest
from translate.images import find_pictures, picture_name

DATASETS = Path("datasets")
HELD_OUT_SHARE, HELD_OUT_MOST = 20, 50
HELD_OUT_NAMES = ("val", "test")
TWO_WAYS = "--data DIR, or --domainA DIR and --domainB DIR"  # to say where two kinds of pictures are
NAMED = 5  # files that a message names before it only counts


@dataclass(frozen=True)
class Pair:
    """Two pictures that belong together: two files, or the halves of one (`b` is None)."""

    a: Path
    b: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.a,) if self.b is None else (self.a, self.b)


@dataclass
class Paired:
    """Pairs to train on and pairs held out, with what a person should be told about them."""

    train: list[Pair]
    held_out: list[Pair]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        return [file for pair in self.train + self.held_out for file in pair.files]

    def without(self, bad: Collection[Path], notes: list[str]) -> Paired:
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

    train: tuple[list[Path], list[Path]]
    held_out: tuple[list[Path], list[Path]]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        return [file for side in self.train + self.held_out for file in side]

    def without(self, bad: Collection[Path], notes: list[str]) -> Unpaired:
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

    train: list[Path]
    held_out: list[Path]
    notes: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        return self.train + self.held_out

    def without(self, bad: Collection[Path], notes: list[str]) -> Photos:
        """The same but for the bad files."""
        train, held_out = ([file for file in part if file not in bad] for part in (self.train, self.held_out))
        return Photos(train, held_out, self.notes + notes)

    @property
    def summary(self) -> str:
        return f"{len(self.train)} photos to train on, {len(self.held_out)} held out"


Found = Paired | Unpaired | Photos


def find_paired(data: str | None, domain_a: str | None, domain_b: str | None) -> Paired:
    """Pairs, from a folder of joined A|B files, of two folders, or from two folders by stem.

    Raises:
        UsageError: a folder is missing, empty or given twice, or no pair is found.
    """
    if domains := _two_domains(data, domain_a, domain_b):
        return _with_held_out(*_pair_by_stem(*domains), domains[0])
    root = data_folder(data, TWO_WAYS)
    pairs, notes = _paired_part(root, "train") or _paired_part(root, "") or _joined(root)
    held_out = next((found for part in HELD_OUT_NAMES if (found := _paired_part(root, part))), None)
    if held_out is None:
        return _with_held_out(pairs, notes, root)
    return Paired(pairs, held_out[0][:HELD_OUT_MOST], notes + held_out[1])


def find_unpaired(data: str | None, domain_a: str | None, domain_b: str | None) -> Unpaired:
    """Two kinds of pictures, of different counts, from two folders or a folder that holds them.

    Raises:
        UsageError: a folder is missing, empty or given twice.
    """
    if domains := _two_domains(data, domain_a, domain_b):
        return _split_domains(*domains)
    root = data_folder(data, TWO_WAYS)
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


def find_photos(data: str | None) -> Photos:
    """Photos, from a flat folder or one with train/ (and val/ or test/) in it.

    Raises:
        UsageError: the folder is missing or empty.
    """
    root = data_folder(data)
    train = root / "train" if (root / "train").is_dir() else root
    held_out = next((_pictures(root / part) for part in HELD_OUT_NAMES if (root / part).is_dir()), None)
    if held_out is None:
        return Photos(*_split(train))
    apart = set(held_out)
    return Photos([path for path in _pictures(train) if path not in apart], held_out[:HELD_OUT_MOST])


def data_folder(data: str | None, remedy: str = "--data DIR") -> Path:
    """The folder of a data set, by its path or by its name under datasets/.

    Raises:
        UsageError: none is given (the remedy says what to give), or there is none.
    """
    if data is None:
        raise UsageError(f"no data: give {remedy}")
    return _folder(data)


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


def _two_domains(data: str | None, a: str | None, b: str | None) -> tuple[Path, Path] | None:
    if a is None and b is None:
        return None
    if a is None or b is None:
        raise UsageError(f"only {'--domainB' if a is None else '--domainA'} is given: both kinds are needed")
    if data is not None:
        raise UsageError("--data and --domainA/--domainB both say where the pictures are: give one of them")
    folders = (_folder(a), _folder(b))
    if folders[0].resolve() == folders[1].resolve():
        raise UsageError(f"--domainA and --domainB are the same folder, {folders[0]}: give two")
    return folders


def _sides(root: Path, part: str) -> tuple[Path, Path] | None:
    """The folders trainA and trainB (or A and B, where `part` is empty), if they are there."""
    a, b = root / f"{part}A", root / f"{part}B"
    if a.is_dir() != b.is_dir():
        there, missing = (a, b) if a.is_dir() else (b, a)
        raise UsageError(
            f"{root} holds {there.name}/ but no {missing.name}/: bring both, or name two folders"
        )
    return (a, b) if a.is_dir() else None


def _pictures(folder: Path) -> list[Path]:
    """The pictures below a folder; an empty folder is refused."""
    found = find_pictures(folder)
    if not found:
        raise UsageError(f"{folder} holds no pictures: check the path, or their suffixes")
    return found


def _paired_part(root: Path, part: str) -> tuple[list[Pair], list[str]] | None:
    if sides := _sides(root, part):
        return _pair_by_stem(*sides)
    return _joined(root / part) if part and (root / part).is_dir() else None


def _joined(folder: Path) -> tuple[list[Pair], list[str]]:
    """Joined A|B files, flat or in sub-folders; those of a val/ or test/ beside them are not for training."""
    inside = [(path, path.relative_to(folder).parts[0]) for path in _pictures(folder)]
    pairs = [Pair(path) for path, first in inside if first not in HELD_OUT_NAMES]
    if not pairs:
        raise UsageError(f"{folder} holds pictures to score by only: put those to train on into train/")
    return pairs, []


def _pair_by_stem(folder_a: Path, folder_b: Path) -> tuple[list[Pair], list[str]]:
    """Match two folders by path and stem (`sub/1.jpg` and `sub/1.png`); tell what has no partner."""
    a, b = (_by_stem(folder) for folder in (folder_a, folder_b))
    notes = [
        told(f"no partner in {there}, left out", [mine[stem] for stem in sorted(mine.keys() - theirs.keys())])
        for mine, theirs, there in ((a, b, folder_b), (b, a, folder_a))
        if mine.keys() - theirs.keys()
    ]
    pairs = [Pair(a[stem], b[stem]) for stem in sorted(a.keys() & b.keys())]
    if not pairs:
        raise UsageError(f"no file of {folder_a} has a partner of the same stem in {folder_b}")
    return pairs, notes


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in _pictures(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in files:
            raise UsageError(f"{picture_name(path)} and {files[stem].name} share a stem: rename one of them")
        files[stem] = path
    return files


def told(what: str, files: Sequence[Path]) -> str:
    names = ", ".join(picture_name(path) for path in files[:NAMED])
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


def _with_held_out(pairs: list[Pair], notes: list[str], root: Path) -> Paired:
    train, held_out = hold_out(pairs, lambda pair: pair.a.relative_to(root).as_posix())
    return Paired(train, held_out, notes)


def _split_domains(folder_a: Path, folder_b: Path) -> Unpaired:
    (a, held_a), (b, held_b) = (_split(folder) for folder in (folder_a, folder_b))
    return Unpaired((a, b), (held_a, held_b))


def _split(folder: Path) -> tuple[list[Path], list[Path]]:
    return hold_out(_pictures(folder), lambda path: path.relative_to(folder).as_posix())


class HasFiles(Protocol):
    """A data set of any layout."""

    def files(self) -> list[Path]: ...


def fingerprint(found: HasFiles) -> str:
    """How many files there are, and a hash of their names: whether a resumed run has its data."""
    files = found.files()
    return f"{len(files)} files, {_hash(chr(10).join(file.name for file in files))[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
