"""Translate uploaded files, and gather the results for download."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from translate.errors import DataError
from translate.images import find_images, list_names
from translate.inference import Outcome
from translate.progress import Advanced, Started
from translate.studio.components import ProgressReporter, Upload
from translate.web.hosted import HostedModel
from translate.web.options import ImageOptions

MAX_LISTED = 20  # Failures and remarks that are shown one by one.


@dataclass
class Results:
    """The uploaded files of a visitor and what a model made of them, in a temporary folder.

    Attributes:
        outcomes: the finished files.
        left_out: the names of the uploads that are no images.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="translate-studio-")))
    outcomes: list[Outcome] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> Path:
        """Return the folder of the uploaded files."""
        return self.folder / "in"

    @property
    def outputs(self) -> Path:
        """Return the folder of the translated files."""
        return self.folder / "out"

    @property
    def translated(self) -> dict[str, Outcome]:
        """Return the outcomes of the files that did not fail, by the name of the upload."""
        good = [outcome for outcome in self.outcomes if not outcome.failure]
        return {outcome.source.relative_to(self.inputs).as_posix(): outcome for outcome in good}

    def summary(self) -> str:
        """Return how many images were translated, and the remarks and failures line by line."""
        failed = [outcome.failure for outcome in self.outcomes if outcome.failure]
        failed += [f"{name}: not an image" for name in self.left_out]
        notes = [f"{name}: {outcome.note}" for name, outcome in self.translated.items() if outcome.note]
        count = len(self.translated)
        head = f"{count} image{'s' * (count != 1)} done{f', {len(failed)} failed:' if failed else ''}"
        lines = [self.for_visitor(line) for line in [*failed, *notes]]
        more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
        return "\n".join([head, *lines[:MAX_LISTED], *more])

    def for_visitor(self, message: str) -> str:
        """Return a message that names files as the visitor does, without the folders of the studio."""
        for folder in (self.inputs, self.outputs, self.folder / "mask"):
            message = message.replace(f"{folder}/", "")
        return message

    def download(self) -> Path | None:
        """Return the file to download: the translated image, or an archive of several; None without any."""
        files = [outcome.target for outcome in self.translated.values()]
        if len(files) < 2:
            return files[0] if files else None
        path = self.folder / "images.zip"
        with zipfile.ZipFile(path, "w") as archive:  # Without compression, as images are compressed.
            for file in files:
                archive.write(file, file.relative_to(self.outputs))
        return path

    def add(self, uploads: Sequence[Upload]) -> None:
        """Add uploaded files to the inputs; one whose name is there gets a folder with a number.

        Raises:
            DataError: none of them is an image.
        """
        for upload in uploads:
            number, path = 1, self.inputs / upload.name
            while path.exists():
                number += 1
                path = self.inputs / str(number) / upload.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(upload.path, path)
        images = set(find_images(self.inputs))
        others = [path for path in self.inputs.rglob("*") if path.is_file() and path not in images]
        self.left_out = sorted(path.relative_to(self.inputs).as_posix() for path in others)
        if not images:
            raise DataError(
                f"{list_names(self.left_out)}: not an image: give image files, such as PNG or JPEG"
            )

    def add_mask(self, name: str, content: bytes) -> Path:
        """Add the mask of the images, and return its path."""
        path = self.folder / "mask" / name
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    def remove(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def translate_uploads(
    model: HostedModel,
    uploads: Sequence[Upload],
    options: ImageOptions,
    report: ProgressReporter,
    mask: tuple[str, bytes] | None = None,
) -> Iterator[Results]:
    """Translate files as `translate apply` translates a folder; yield the results after each.

    Args:
        report: shows the progress of all files together.
        mask: the name and the content of the mask of all images, for an inpainting model.

    Raises:
        UsageError: an option does not fit the model.
        DataError: none of the files is an image.
    """
    model.predictor(options)
    results = Results()
    results.add(uploads)
    mask_file = results.add_mask(*mask) if mask else None
    report(Started("images", len(uploads) - len(results.left_out)))

    def advance(fraction: float) -> None:
        report(Advanced("images", len(results.outcomes) + fraction))

    outcomes = model.translate_folder(
        results.inputs, results.outputs, options, mask=mask_file, progress=advance
    )
    for outcome in outcomes:
        results.outcomes.append(outcome)
        advance(0.0)
        yield results
