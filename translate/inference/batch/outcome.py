"""The outcome for one image of a folder, and a job on its way to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from translate.images import ImageFile
from translate.inference.batch.journal import FileStamp
from translate.inference.batch.plan import Job


@dataclass(frozen=True)
class Outcome:
    """The outcome for one image: written, skipped, or failed.

    Attributes:
        size: width and height of the written image, in pixels; None if none was written.
        seconds: the time spent on reading, predicting and writing it.
        failure: why the image failed; empty if it did not.
        skipped: why the image was skipped; empty if it was not.
        note: damage that was read around, such as missing frames, or that the mask is large; else empty.
    """

    source: Path
    target: Path
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    failure: str = ""
    skipped: str = ""
    note: str = ""


@dataclass
class PipelineItem:
    """A job on its way through the pipeline.

    Attributes:
        file: the decoded image, later the output; None once the job was skipped or failed, and for a file
            that is translated frame by frame.
        outcome: the outcome of a job that was skipped, failed, or translated frame by frame; else None.
        stamp: size and modification time of source and mask before they were read.
        seconds: the time spent on the job so far.
    """

    job: Job
    file: ImageFile | None = None
    outcome: Outcome | None = None
    stamp: FileStamp | None = None
    seconds: float = 0.0

    @property
    def pixels(self) -> int:
        """Return the number of pixels of all frames of the file."""
        sizes = [frame.size for frame in self.file.frames] if self.file else []
        return sum(width * height for width, height in sizes)

    def fail(self, reason: str) -> PipelineItem:
        """Return the item as failed, for this reason."""
        outcome = Outcome(self.job.source, self.job.target, seconds=self.seconds, failure=reason)
        return replace(self, file=None, outcome=outcome)
