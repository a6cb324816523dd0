"""Recognize what the folders of a dataset are for by their names: training or validation, domain A or B.

Upper and lower case and separators do not count: `trainA`, `Train_A` and `A-train` are the same, and so are
`train/A` and `A/train`.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from shlex import quote

from translate.errors import UsageError
from translate.images import find_images, list_names, printable_path

SEPARATORS = "_-. "
YEAR = re.compile(r"(19|20)\d\d")
TRAIN = "train"
# Folders that contain a validation set; the first one that exists is used.
VALIDATION_NAMES = ("val", "test")
SUBSETS = {TRAIN: (TRAIN, "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
# The names of folders of inputs, which are domain A, and of targets, which are domain B. A and B belong
# together; every other input may have every other target.
INPUTS = {"input": ("input", "inputs"), "source": ("source", "sources"), "image": ("image", "images", "img")}
TARGETS = {
    "target": ("target", "targets"),
    "output": ("output", "outputs"),
    "mask": ("mask", "masks"),
    "label": ("label", "labels"),
    "truth": ("gt", "groundtruth"),
}
DOMAINS = {"a": ("a",), "b": ("b",), **INPUTS, **TARGETS}


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    """Return the subset and the domain of each name of a folder, in lower case without separators."""
    subsets = {
        f"{word}{ending}": name for name, words in SUBSETS.items() for word in words for ending in ("", "set")
    }
    domains = {word: name for name, words in DOMAINS.items() for word in words}
    meanings = {word: (subset, "") for word, subset in subsets.items()}
    meanings |= {word: ("", domain) for word, domain in domains.items()}
    for word, subset in subsets.items():
        for name, domain in domains.items():
            meanings |= {f"{word}{name}": (subset, domain), f"{name}{word}": (subset, domain)}
    return meanings


def normalize_name(name: str) -> str:
    """Return a name in lower case without separators."""
    return "".join(character for character in name.casefold() if character not in SEPARATORS)


def parse_folder_name(name: str) -> tuple[str, str]:
    """Return the subset (`train`, `val` or `test`) and the domain of a folder's name, empty if it has none.

    A year does not count: `val2017`.
    """
    return _meanings().get(YEAR.sub("", normalize_name(name)), ("", ""))


def find_subset(relative: str) -> tuple[str, str]:
    """Return the folder by which an image belongs to a subset, and the subset; both are empty without one.

    Only the first two folders of its relative path count, those for validation and testing first.
    """
    parts = relative.split("/")[:-1][:2]
    found = [("/".join(parts[: end + 1]), parse_folder_name(part)[0]) for end, part in enumerate(parts)]
    held_out = [entry for entry in found if entry[1] in VALIDATION_NAMES]
    return next(iter(held_out + [entry for entry in found if entry[1]]), ("", ""))


def find_train_folder(root: Path) -> Path | None:
    """Return the sub-folder for training, however its name is written."""
    return next((path for path in sub_folders(root) if parse_folder_name(path.name) == (TRAIN, "")), None)


def unwrap_folder(root: Path) -> Path:
    """Return the folder inside a folder that holds nothing else, as unpacking an archive may leave it."""
    folders = sub_folders(root)
    if len(folders) != 1 or parse_folder_name(folders[0].name) != ("", ""):
        return root
    names = [path.name for path in root.iterdir() if not path.name.startswith(".")]
    return unwrap_folder(folders[0]) if len(names) == 1 else root


def sub_folders(root: Path) -> list[Path]:
    """Return the sub-folders of a folder, except for hidden ones; none if the folder cannot be listed."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:  # The search for images reports it.
        return []
    return [root / name for name in sorted(names)]


def find_domain_folders(root: Path) -> dict[str, dict[str, list[Path]]]:
    """Return the folders that stand for a domain by their names, by subset and domain.

    The subset of `trainA` and `train/A` is `train`, that of `A` is empty.
    """
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for folder, subset, domain in _parse_sub_folders(root):
        if domain:
            found[subset][domain].append(folder)
        elif subset:
            for inner, inner_subset, domain in _parse_sub_folders(folder):
                if domain and inner_subset in ("", subset):
                    found[subset][domain].append(inner)
    return found


def _parse_sub_folders(root: Path) -> list[tuple[Path, str, str]]:
    """Return each sub-folder with its subset and its domain; `a` and `b` beside `c` are no domains."""
    folders = sub_folders(root)
    letters = {folder.name for folder in folders if len(folder.name) == 1}
    has_alphabet = not letters <= {"a", "b", "A", "B"}
    return [
        (folder, *parse_folder_name(folder.name))
        for folder in folders
        if not (has_alphabet and folder.name in ("a", "b"))
    ]


def choose_domains(folders: dict[str, list[Path]]) -> tuple[Path, Path] | None:
    """Return the folders of A and B among those of one subset, by domain; None if there are none.

    Raises:
        UsageError: A or B is missing, or more than one folder could be it.
    """
    if "a" in folders or "b" in folders:
        inputs, targets = folders.get("a", []), folders.get("b", [])
        if not inputs or not targets:
            present = (inputs or targets)[0]
            raise UsageError(
                f"{present.parent} has {present.name}/ but no {_other_domain(present.name)}/: add it, or give"
                " --domainA and --domainB"
            )
    else:
        inputs, targets = (
            [folder for name in names for folder in folders.get(name, [])] for names in (INPUTS, TARGETS)
        )
        if not inputs or not targets:
            return None
    if len(inputs) > 1 or len(targets) > 1:
        names = list_names([str(folder) for folder in (*inputs, *targets)])
        raise UsageError(
            f"more than two folders could be A and B ({names}): give two, with --domainA DIR --domainB DIR"
        )
    return inputs[0], targets[0]


def suggest_domains(root: Path) -> str:
    """Return the flags that give two domains, with the sub-folders of images if there are two of them."""
    folders = [
        folder
        for folder in sub_folders(find_train_folder(root) or root)
        if parse_folder_name(folder.name)[0] not in VALIDATION_NAMES and find_images(folder)
    ]
    if len(folders) != 2:
        return "--domainA and --domainB"
    a, b = (quote(printable_path(str(folder))) for folder in folders)
    return f"--domainA {a} --domainB {b}"


def _other_domain(name: str) -> str:
    """Return the name of a folder with A for B, or B for A: `trainB` for `trainA`, `B_val` for `A_val`."""
    other = {"A": "B", "B": "A", "a": "b", "b": "a"}
    return name[:-1] + other[name[-1]] if name[-1] in other else other[name[0]] + name[1:]
