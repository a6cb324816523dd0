"""Tell photos from masks by their names, and find the mask that belongs to each photo."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from translate.errors import UsageError
from translate.images import SUFFIXES, list_names, printable_path

# The stem of a mask beside its photo: photo_mask, photo-mask, photo.mask, photo_mask001, in any case.
MASK_STEM = re.compile(r"(?P<photo>.+)[ _.-]mask[ _-]?\d*", re.IGNORECASE)


def photo_stem(mask: Path) -> str | None:
    """Return the stem of the photo to which a mask belongs by its name; None if that is no mask's name."""
    match = MASK_STEM.fullmatch(mask.stem)
    return match["photo"] if match else None


def find_pairs(sources: Sequence[Path]) -> dict[Path, Path | None]:
    """Return the masks that lie beside photos, each with its photo.

    In a folder with such pairs, what has the name of a mask is one also without a photo, which is then None.
    A photo that is given as a file has its mask beside it, too.
    """
    given = set(sources)
    folders = {path.parent for path in sources}
    paths = sorted(given.union(*map(_images_in, folders)), key=lambda path: (path not in given, path))
    photos: dict[tuple[Path, str], Path] = {}
    for path in paths:
        photos.setdefault((path.parent, path.stem), path)
        photos.setdefault((path.parent, path.stem.casefold()), path)
    pairs: dict[Path, Path | None] = {}
    for path in sorted(paths):
        if stem := photo_stem(path):
            place = path.parent
            pairs[path] = photos.get((place, stem)) or photos.get((place, stem.casefold()))
    with_pairs = {mask.parent for mask, photo in pairs.items() if photo}
    return {
        mask: photo
        for mask, photo in pairs.items()
        if photo in given or (mask in given and mask.parent in with_pairs)
    }


def _images_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that have the suffix of an image; none if the folder cannot be listed."""
    with suppress(OSError):
        yield from (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def masks_by_photo(pairs: Mapping[Path, Path | None]) -> dict[Path, Path]:
    """Return the mask of each photo, by the photo's path without the suffix.

    Raises:
        UsageError: a photo has several.
    """
    masks: dict[Path, Path] = {}
    for mask, photo in pairs.items():
        if photo and (name := photo.with_suffix("")) in masks:
            raise _several_masks(photo, (masks[name], mask))
        if photo:
            masks[name] = mask
    return masks


class MaskFolder:
    """The masks of a folder, found by the place and the stem of their photos.

    Args:
        root: the folder.
        paths: its masks.
    """

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self.exact: dict[Path, list[Path]] = defaultdict(list)
        self.by_name: dict[Path, list[Path]] = defaultdict(list)
        for path in paths:
            place = path.relative_to(root).parent
            self.exact[place / path.stem].append(path)
            self.by_name[place / (photo_stem(path) or path.stem).casefold()].append(path)

    def find(self, photo: Path, place: Path) -> Path | None:
        """Return the mask of a photo, or None.

        It has the photo's stem, in any case and with or without an ending such as `_mask`, and lies in the
        same subfolder, or else at the top.

        Args:
            place: the photo's folder, relative to the input.

        Raises:
            UsageError: there are several.
        """
        for folder in (place, Path()):
            if found := self.exact.get(folder / photo.stem):
                return found[0]
            found = self.by_name.get(folder / photo.stem.casefold(), [])
            if len(found) > 1:
                raise _several_masks(photo, found)
            if found:
                return found[0]
        return None


def summarize_pairs(pairs: Mapping[Path, Path | None]) -> str:
    """Return a line that says which masks lie beside their photos; empty if there are none."""
    named = [f"{mask.name} is the mask of {photo.name}" for mask, photo in pairs.items() if photo]
    single = [mask.name for mask, photo in pairs.items() if not photo]
    lines = [f"masks beside their photos: {list_names(named)}"] if named else []
    lines += [f"masks without a photo, left out: {list_names(single)}"] if single else []
    return "; ".join(lines)


def _several_masks(photo: Path, masks: Sequence[Path]) -> UsageError:
    names = list_names([mask.name for mask in masks])
    return UsageError(f"{printable_path(photo)} has several masks, {names}: keep one, or join them")
