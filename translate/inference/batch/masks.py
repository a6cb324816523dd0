"""Find the mask of each image of a folder, for an inpainting model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from translate import distributed
from translate.config import FolderOptions
from translate.errors import DataError, UsageError
from translate.images import (
    Frame,
    Hole,
    ImageFile,
    find_images,
    hole_from_mask,
    list_names,
    printable_path,
    read_hole,
    resolve_links,
)
from translate.inference.batch.mask_pairs import MaskFolder, find_pairs, masks_by_photo, summarize_pairs
from translate.inference.batch.plan import Job, check_path
from translate.progress import message

# From this share of the image on, a note says that the mask may be inverted.
MOST_OF_IMAGE = 0.75


@dataclass(frozen=True)
class Masks:
    """The masks of a folder of images: one mask for all, or a folder with one mask for each stem.

    Attributes:
        path: a file or a folder; None for masks beside their photos, or else to fill transparent pixels.
        invert: keep what the mask marks, and fill the rest.
        dilate: the pixels by which each hole is enlarged on every side.
    """

    path: Path | None = None
    invert: bool = False
    dilate: int = 0

    @classmethod
    def from_options(cls, options: FolderOptions) -> Masks:
        """Return the masks that the options of a command name."""
        return cls(Path(options.mask) if options.mask else None, options.invert, options.dilate)

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
        if self.path.is_dir() and not find_images(self.path):
            raise UsageError(
                f"{printable_path(self.path)} holds no masks:"
                " give a folder in which each mask has the name of its photo"
            )

    def assign(self, jobs: Sequence[Job], out: Path) -> tuple[list[Job], str]:
        """Return the jobs that are photos, each with the path of its mask, and a line on what are masks.

        A job that is a mask is left out: one beside its photo (`photo_mask.png`), the mask of all photos, or
        one in a folder of masks inside the input. A path is missing if a folder has no mask for a photo.

        Raises:
            UsageError: a photo has several masks.
        """
        pairs = find_pairs([job.source for job in jobs])
        photos = [job for job in jobs if job.source not in pairs]
        if self.path is None:
            masks = masks_by_photo(pairs)
            with_masks = [replace(job, mask=masks.get(job.source.with_suffix(""))) for job in photos]
            return with_masks, summarize_pairs(pairs)
        root = resolve_links(self.path)
        if not self.path.is_dir():
            photos = [job for job in photos if resolve_links(job.source) != root]
            return [replace(job, mask=self.path) for job in photos], _summarize_left_out(jobs, photos)
        outside = [job for job in photos if not resolve_links(job.source).is_relative_to(root)]
        photos = outside or photos  # If all are inside, the input is the folder of masks itself.
        sources = {resolve_links(job.source) for job in photos}
        masks_of_folder = MaskFolder(
            self.path, [path for path in find_images(self.path) if resolve_links(path) not in sources]
        )
        with_masks = [replace(job, mask=self._find(masks_of_folder, job, out)) for job in photos]
        return with_masks, _summarize_left_out(jobs, photos)

    def _find(self, masks: MaskFolder, job: Job, out: Path) -> Path:
        """Return the path of a job's mask in the folder of masks, which may be missing."""
        assert self.path
        if mask := masks.find(job.source, job.target.parent.relative_to(out)):
            return mask
        missing = self.path / f"{job.source.stem}.png"
        return missing if not missing.exists() else missing.with_stem(f"{job.source.stem}_mask")

    def add_holes(self, file: ImageFile, job: Job) -> ImageFile:
        """Return the file with the hole of the job's mask in each frame.

        Raises:
            DataError: the mask is missing or damaged or has another size; it marks nothing or everything, or
                it is not clear what it marks.
        """
        frames = [replace(frame, hole=self._hole(frame, job)) for frame in file.frames]
        share = max(float(frame.hole.mean()) for frame in frames if frame.hole is not None)
        note = f"the mask marks {share:.0%} of the image (--invert swaps the two)"
        return replace(file, frames=frames, damage=file.damage or note * (share > MOST_OF_IMAGE))

    def _hole(self, frame: Frame, job: Job) -> Hole:
        """Return the hole of a frame: of the job's mask, or the transparent pixels if there are no masks."""
        name = printable_path(job.source)
        if job.mask is not None:
            if not job.mask.exists():
                stem, folder = job.source.stem, printable_path(job.mask.parent)
                raise DataError(
                    f"{name}: no mask named {stem!r} in {folder}/: add one, or leave the photo out"
                )
            try:
                return read_hole(job.mask, frame.size, invert=self.invert, dilate=self.dilate)
            except DataError as error:
                raise DataError(f"{name}: {error}") from None
        if frame.alpha is None or (frame.alpha > 0).all():
            raise DataError(
                f"{name}: no mask, and nothing in it is transparent: give --mask, or put"
                f" {job.source.stem}_mask.png beside it"
            )
        if not frame.alpha.any():
            raise DataError(f"{name}: all of it is transparent: keep the part that is not to be filled")
        mask = Frame(pixels=np.where(frame.alpha == 0, 255, 0).astype(np.uint8)[..., None])
        try:
            return hole_from_mask(mask, frame.size, invert=self.invert, dilate=self.dilate)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None


def assign_masks(jobs: Sequence[Job], out: Path, options: FolderOptions, *, needed: bool) -> list[Job]:
    """Return the jobs whose sources are photos, each with its mask, and log which masks lie beside photos.

    Args:
        needed: whether the model needs masks; if not, all jobs are returned.

    Raises:
        UsageError: the masks are missing, or the model needs none; a photo has several, or there is no photo.
    """
    masks = Masks.from_options(options)
    masks.check(needed=needed)
    if not needed:
        return list(jobs)
    photos, summary = masks.assign(jobs, out)
    if jobs and not photos:
        names = list_names([job.source.name for job in jobs])
        raise UsageError(f"the input holds only masks, {names}: give the photos that they belong to")
    if summary and not distributed.rank():
        message(summary)
    return photos


def _summarize_left_out(jobs: Sequence[Job], photos: Sequence[Job]) -> str:
    """Return a line that names the jobs that are no photos; empty if all are."""
    sources = {job.source for job in photos}
    names = [job.source.name for job in jobs if job.source not in sources]
    return f"masks in the input, left out: {list_names(names)}" if names else ""
