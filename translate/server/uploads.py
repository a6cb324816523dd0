"""Receive the image of a request into a file, and its mask: as multipart form data, or as the raw body."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from translate.images import SUFFIXES
from translate.web.names import safe_name

MULTIPART = "multipart/form-data"
MEDIA_TYPES = {  # The raw bodies that are taken, and the suffix of the file that each becomes.
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/tiff": ".tif",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/x-portable-anymap": ".ppm",
    "image/x-tga": ".tga",
}
IMAGE, MASK = "image", "mask"


@dataclass(frozen=True)
class Upload:
    """The files of a request."""

    image: Path
    mask: Path | None = None


async def receive(request: Request, folder: Path) -> Upload:
    """Write the image of a request, and its mask, to folders of their own in a folder, as they arrive.

    Raises:
        HTTPException: 415 for a body of another type, 400 for a form that is damaged, 422 for one without an
            image.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return await _receive_form(request, folder)
    if kind not in MEDIA_TYPES:
        types = ", ".join([MULTIPART, *MEDIA_TYPES])
        raise HTTPException(415, f"content type {kind!r}: send one of {types}", {"accept": types})
    path = folder / IMAGE / f"{IMAGE}{MEDIA_TYPES[kind]}"
    path.parent.mkdir()
    with path.open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)
    return Upload(path)


async def _receive_form(request: Request, folder: Path) -> Upload:
    """Receive a form with the file `image`, and for an inpainting model the file `mask`."""
    # A file that is larger than 1 MB is on disk while the form is read.
    async with request.form(max_files=2, max_fields=2) as form:
        if unknown := sorted({*form} - {IMAGE, MASK}):
            raise HTTPException(422, f"part {unknown[0]!r} of the form: it has the files image and mask")
        paths: dict[str, Path] = {}
        for name, part in form.multi_items():
            if not isinstance(part, UploadFile) or name in paths:
                raise HTTPException(422, f"part {name!r} of the form must be one file")
            target = folder / name
            target.mkdir()
            path = target / safe_name(part.filename or IMAGE)
            # Where the suffix is that of no image, the content says what it is.
            paths[name] = path if path.suffix.lower() in SUFFIXES else path.with_suffix("")
            with paths[name].open("wb") as file:
                shutil.copyfileobj(part.file, file)
    if IMAGE not in paths:
        raise HTTPException(422, "the form has no file named image: add one")
    return Upload(paths[IMAGE], paths.get(MASK))
