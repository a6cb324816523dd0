"""Receive the image of a request into a file, and its mask: as multipart form data, or as the raw body."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from translate.images import SUFFIXES

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
UNSAFE = re.compile(r"[^\w .()-]")  # In the name of a file on any system.
MAX_STEM = 200  # Bytes; a file system takes 255 for a name, of which some are for suffixes.


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
            paths[name] = target / safe_name(part.filename or IMAGE)
            with paths[name].open("wb") as file:
                shutil.copyfileobj(part.file, file)
    if IMAGE not in paths:
        raise HTTPException(422, "the form has no file named image: add one")
    return Upload(paths[IMAGE], paths.get(MASK))


def safe_name(name: str) -> str:
    """Return the name that a client gives to a file, without folders and unusual characters.

    A suffix that no image has is left out.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ""
    stem = UNSAFE.sub("_", path.stem).strip(" .").encode()[:MAX_STEM].decode(errors="ignore")
    return f"{stem or IMAGE}{suffix}"
