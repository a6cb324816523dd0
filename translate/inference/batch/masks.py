"""Find the mask of each image of a folder, for an inpainting model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from translate.errors import DataError, UsageError
from translate.images import Frame, Hole, ImageFile, find_images, hole_from_mask, printable_path, read_hole
from translate.inference.batch.plan import Job, check_path

EMPTY_MASK = "the mask is empty, so nothing was filled"


@dataclass(frozen=True)
class Masks:
    """The masks of a folder of images: one mask for all, or a folder with one mask for each stem.

    Attributes:
        path: a file or a folder; None to fill the transparent pixels of each image.
        invert: keep what the mask marks, and fill the rest.
        dilate: the pixels by which each hole is enlarged on every side.
    """

    path: Path | None = None
    invert: bool = False
    dilate: int = 0

    def check(self, *, needed: bool) -> None:
        """Check that the masks exist, and that the model needs masks if there are any.

        Raises:
            UsageError: they do not, or it does not.
        """
        if not needed and self != Masks():
            raise UsageError("this model does not inpaint: leave --mask, --invert and --dilate out")
        if self.path is None:
            return
        check_path(self.path)
        if not self.path.exists():
            raise UsageError(
                f"no mask {printable_path(self.path)!r}:"
                " give a file, or a folder in which each mask has the name of its photo"
            )
        if self.path.is_dir() and not self._paths_by_stem:
            raise UsageError(
                f"{printable_path(self.path)} holds no masks:"
                " give a folder in which each mask has the name of its photo"
            )

    @cached_property
    def _paths_by_stem(self) -> dict[Path, list[Path]]:
        """Return the masks of the folder, by their path below it without the suffix."""
        assert self.path
        paths: dict[Path, list[Path]] = defaultdict(list)
        for path in find_images(self.path):
            paths[path.relative_to(self.path).with_suffix("")].append(path)
        return dict(paths)

    def path_for(self, job: Job, out: Path) -> Path | None:
        """Return the path of a job's mask, which may be missing.

        In a folder of masks, it is the one in the same subfolder and of the same stem as the source; if there
        is none, the one of the same stem at the top.
        """
        if self.path is None or not self.path.is_dir():
            return self.path
        same_place = job.target.parent.relative_to(out) / job.source.stem
        paths = self._paths_by_stem.get(same_place) or self._paths_by_stem.get(Path(job.source.stem)) or []
        return paths[0] if paths else self.path / f"{job.source.stem}.png"

    def add_holes(self, file: ImageFile, job: Job) -> ImageFile:
        """Return the file with the hole of the job's mask in each frame.

        Raises:
            DataError: the mask is missing or damaged, has another size, or covers the whole image.
        """
        frames = [replace(frame, hole=self._hole(frame, job)) for frame in file.frames]
        name = printable_path(job.source)
        if any(frame.hole is not None and frame.hole.all() for frame in frames):
            raise DataError(
                f"{name}: the mask covers the whole image: leave black what is to be kept"
                " (--invert swaps the two)"
            )
        is_empty = not any(frame.hole is not None and frame.hole.any() for frame in frames)
        return replace(file, frames=frames, damage=file.damage or EMPTY_MASK * is_empty)

    def _hole(self, frame: Frame, job: Job) -> Hole:
        """Return the hole of a frame: of the job's mask, or the transparent pixels if there are no masks."""
        name = printable_path(job.source)
        if job.mask is not None:
            if not job.mask.exists():
                stem, folder = job.source.stem, printable_path(job.mask.parent)
                raise DataError(
                    f"{name}: no mask named {stem!r} in {folder}/:"
                    " add one (an all-black one leaves the photo as it is)"
                )
            try:
                return read_hole(job.mask, frame.size, invert=self.invert, dilate=self.dilate)
            except DataError as error:
                raise DataError(f"{name}: {error}") from None
        if frame.alpha is None or (frame.alpha > 0).all():
            raise DataError(f"{name}: no mask, and nothing in it is transparent: give --mask")
        mask = Frame(pixels=np.where(frame.alpha == 0, 255, 0).astype(np.uint8)[..., None])
        return hole_from_mask(mask, frame.size, invert=self.invert, dilate=self.dilate)
