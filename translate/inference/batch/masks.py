"""Find the mask of each image of a folder."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from translate.errors import DataError, UsageError
from translate.images import Frame, Hole, ImageFile, find_images, hole_from_mask, printable_path, read_hole
from translate.inference.batch.plan import Job, refuse_unless_reachable


@dataclass(frozen=True)
class Masks:
    """One mask for all images, or a folder that holds them under the images' stems.

    Attributes:
        path: a file or a folder; None where the images' own transparency says what is missing.
        invert: what a mask shows is kept, and all else is filled.
        dilate: pixels by which each hole is enlarged.
    """

    path: Path | None = None
    invert: bool = False
    dilate: int = 0

    def check(self, *, needed: bool) -> None:
        """Refuse masks that are not there, and masks for a model that fills no holes.

        Raises:
            UsageError: naming the path.
        """
        if not needed and self != Masks():
            raise UsageError(
                "this model fills no holes: --mask, --invert and --dilate are for one of inpaint"
            )
        if self.path is None:
            return
        refuse_unless_reachable(self.path)
        if not self.path.exists():
            raise UsageError(
                f"no mask {printable_path(self.path)!r}: give a file, or a folder of masks by stem"
            )
        if self.path.is_dir() and not self._by_stem:
            raise UsageError(
                f"{printable_path(self.path)} holds no masks: give images under the photos' stems"
            )

    @cached_property
    def _by_stem(self) -> dict[Path, list[Path]]:
        """The masks of the folder, by path and stem below it."""
        assert self.path
        found: dict[Path, list[Path]] = defaultdict(list)
        for path in find_images(self.path):
            found[path.relative_to(self.path).with_suffix("")].append(path)
        return dict(found)

    def path_for(self, job: Job, out: Path) -> Path | None:
        """Return the mask of a job: in a folder the one at the same place, else the one of the same stem."""
        if self.path is None or not self.path.is_dir():
            return self.path
        place = job.target.parent.relative_to(out) / job.source.stem
        found = self._by_stem.get(place) or self._by_stem.get(Path(job.source.stem)) or []
        return found[0] if found else self.path / f"{job.source.stem}.png"

    def add_holes(self, file: ImageFile, job: Job) -> ImageFile:
        """Return the file with the hole that its mask shows in each frame.

        Raises:
            DataError: there is no mask, it is damaged or of another size, or all is hole.
        """
        frames = [replace(frame, hole=self._hole(frame, job)) for frame in file.frames]
        name = printable_path(job.source)
        if any(frame.hole is not None and frame.hole.all() for frame in frames):
            raise DataError(
                f"{name}: all of the image is hole: leave black what is to be kept (--invert swaps the two)"
            )
        empty = not any(frame.hole is not None and frame.hole.any() for frame in frames)
        return replace(file, frames=frames, damage=file.damage or "the mask is empty" * empty)

    def _hole(self, frame: Frame, job: Job) -> Hole:
        if job.mask is not None:
            if not job.mask.exists():
                stem, folder = job.source.stem, printable_path(job.mask.parent)
                raise DataError(
                    f"{printable_path(job.source)}: no mask of the stem {stem!r} in {folder}:"
                    " add one (all black fills nothing)"
                )
            try:
                return read_hole(job.mask, frame.size, invert=self.invert, dilate=self.dilate)
            except DataError as error:
                raise DataError(f"{printable_path(job.source)}: {error}") from None
        if frame.alpha is None or (frame.alpha > 0).all():
            raise DataError(
                f"{printable_path(job.source)}: no mask, and nothing in it is transparent: give --mask"
            )
        shown = Frame(pixels=np.where(frame.alpha == 0, 255, 0).astype(np.uint8)[..., None])
        return hole_from_mask(shown, frame.size, invert=self.invert, dilate=self.dilate)
