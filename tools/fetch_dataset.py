"""Download a published dataset into datasets/, check it and unpack it.

    python tools/fetch_dataset.py facades
    python tools/fetch_dataset.py --list

Run the same command again to resume an interrupted download.
"""

from __future__ import annotations

import gzip
import hashlib
import shlex
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PureWindowsPath
from stat import S_ISLNK
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click

from translate.errors import DataError, TranslateError, UsageError, nearest

HOST = "http://efrosgans.eecs.berkeley.edu"
DATASETS = Path("datasets")
MAX_UNPACKED = 100 * 10**9  # bytes
MAX_COMPRESSION = 200  # unpacked bytes for each byte of the archive; images reach about 1
RESUME = "run the same command again to resume"
DAMAGE = (  # the exceptions that a damaged archive raises
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error),
    *(EOFError, RuntimeError, ValueError),
)
PAIRED = {  # joined A|B files
    "cityscapes": "2975 street scenes | labels",
    "edges2handbags": "137 thousand edges | handbags",
    "edges2shoes": "50 thousand edges | shoes",
    "facades": "400 building fronts | labels",
    "maps": "1096 aerial photos | maps",
    "night2day": "18 thousand webcam views, night | day",
}
UNPAIRED = {  # trainA/ trainB/ testA/ testB/
    "apple2orange": "996 apples, 1020 oranges",
    "cezanne2photo": "584 Cezannes, 6853 landscape photos",
    "facades-unpaired": "400 building fronts and labels, unpaired",
    "horse2zebra": "939 horses, 1177 zebras",
    "iphone2dslr_flower": "1813 flowers by iPhone, 3316 by DSLR",
    "maps-unpaired": "1096 aerial photos and maps, unpaired",
    "monet2photo": "1074 Monets, 6853 landscape photos",
    "summer2winter_yosemite": "1273 summers, 854 winters",
    "ukiyoe2photo": "1433 ukiyo-e prints, 6853 landscape photos",
    "vangogh2photo": "401 Van Goghs, 6853 landscape photos",
}
PHOTOS = {"ae_photos": "landscape photos to apply the painters' models to"}
KINDS = {"paired": PAIRED, "unpaired": UNPAIRED, "photos": PHOTOS}
SETS = PAIRED | UNPAIRED | PHOTOS
WITHHELD = {
    "cityscapes": "its licence does not let the authors share it: see datasets/README.md, or give --from URL"
}


class ProgressLine:
    """The progress of a download on stderr: one line on a terminal, or a new line every 10 s in a log."""

    def __init__(self, name: str, done: int, total: int | None) -> None:
        self.name, self.resumed_at, self.done, self.total = name, done, done, total
        self.start = self.last_print = time.monotonic()

    def add(self, count: int, last: bool = False) -> None:
        """Count more bytes, and print the line if it is due or the last."""
        self.done += count
        terminal = sys.stderr.isatty()
        if last or time.monotonic() - self.last_print > (0.2 if terminal else 10):
            self.last_print = time.monotonic()
            click.echo(f"{chr(13) * terminal}{self.text():60}", err=True, nl=last or not terminal)

    def text(self) -> str:
        """Return the size, the rate and, if the total is known, the time left."""
        rate = (self.done - self.resumed_at) / max(self.last_print - self.start, 1e-3)
        if self.total is None:
            return f"{self.name}: {megabytes(self.done)}, {megabytes(rate)}/s"
        left = f"{(self.total - self.done) / max(rate, 1):.0f} s left"
        return f"{self.name}: {megabytes(self.done)} of {megabytes(self.total)}, {megabytes(rate)}/s, {left}"


def megabytes(count: float) -> str:
    """Format a number of bytes in megabytes."""
    return f"{count / 1e6:.1f} MB"


def download(url: str, archive: Path) -> None:
    """Download a URL to a file, resuming from the bytes that the file already has.

    Raises:
        TranslateError: the server cannot be reached, answers with an error, or closes the connection early.
    """
    done = archive.stat().st_size if archive.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=30) as response:
            receive(response, archive, done)
    except HTTPError as error:
        error.close()
        if error.code != 416:  # Range not satisfiable: the file is complete.
            raise TranslateError(f"{url} answers {error.code} {error.reason}: try --from URL") from None
    except (URLError, HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise TranslateError(f"cannot download {url} ({reason}): {RESUME}") from None


def receive(response: HTTPResponse, archive: Path, done: int) -> None:
    """Append a response to a file, or replace the file if the server ignored Range and sends all bytes."""
    start = done if response.status == 206 else 0
    total = None if response.length is None else start + response.length
    progress = ProgressLine(archive.stem, start, total)
    with archive.open("ab" if start else "wb") as file:
        try:
            while chunk := response.read1(2**20):
                file.write(chunk)
                progress.add(len(chunk))
        finally:
            progress.add(0, last=True)
    if total is not None and progress.done < total:
        raise TranslateError(
            f"the download ended at {megabytes(progress.done)} of {megabytes(total)}: {RESUME}"
        )


def unpack(archive: Path, target: Path, top: str) -> None:
    """Unpack an archive into a temporary folder, rename that to `target`, and delete the archive.

    Args:
        top: the archive's folder that holds the dataset, if it has one of this name.

    Raises:
        DataError: the archive is damaged, empty, too large, or would write outside its folder.
    """
    extract = unzip if zipfile.is_zipfile(archive) else untar
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
            folder = Path(temporary) / "set"
            extract(archive, folder, limit=min(MAX_UNPACKED, MAX_COMPRESSION * archive.stat().st_size))
            (folder / top if (folder / top).is_dir() else folder).rename(target)
    except (DataError, *DAMAGE) as error:
        archive.unlink()
        prefix = "" if isinstance(error, DataError) else "the archive is damaged: "
        reason = " ".join(f"{prefix}{str(error) or type(error).__name__}".split())
        raise DataError(
            f"{reason}; the download is deleted: run the same command again, or try --from URL"
        ) from None
    archive.unlink()


def unzip(archive: Path, folder: Path, limit: int) -> None:
    """Check and extract a zip file."""
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        check_members(((m.filename, m.file_size, not S_ISLNK(m.external_attr >> 16)) for m in members), limit)
        if bad := file.testzip():
            raise zipfile.BadZipFile(f"checksum of {bad!r}")
        file.extractall(folder)


def untar(archive: Path, folder: Path, limit: int) -> None:
    """Check and extract a gzipped tar file."""
    with gzip.open(archive) as stream:
        size = 0
        while chunk := stream.read(2**20):  # The checksum is verified at the end of the stream.
            size += len(chunk)
            check_size(size, limit)
    with tarfile.open(archive, "r:gz") as file:
        check_members(((m.name, m.size, m.isfile() or m.isdir()) for m in file), limit)
        # Python has the filter since 3.11.4; before, the checks above have refused the same members.
        file.extraction_filter = getattr(tarfile, "data_filter", None)
        file.extractall(folder)


def check_members(members: Iterable[tuple[str, int, bool]], limit: int) -> None:
    """Refuse paths outside the folder, links, devices, and archives that are empty or unpack to too much.

    Args:
        members: the name, the size in bytes, and whether it is a file or a folder, for each.
        limit: bytes that the archive may unpack to.
    """
    total = 0
    for name, size, is_plain in members:
        path = PureWindowsPath(name)  # Splits at both kinds of slashes, and knows drives.
        if path.anchor or ".." in path.parts:
            raise DataError(f"{name!r} in the archive lies outside its folder")
        if not is_plain:
            raise DataError(f"{name!r} in the archive is a link or a device")
        total += size
        check_size(total, limit)
    if not total:
        raise DataError("the archive is empty")


def check_size(size: int, limit: int) -> None:
    """Refuse a decompression bomb."""
    if size > limit:
        raise DataError(
            f"the archive unpacks to more than {megabytes(limit)}; the limit is {MAX_UNPACKED // 10**9} GB"
            f" and {MAX_COMPRESSION} times its own size"
        )


def fetch(name: str, into: Path, source: str | None) -> Path:
    """Download, check and unpack a dataset; return its folder.

    Args:
        into: the folder to create the dataset's folder in.
        source: a URL of the archive; None is the authors' server.

    Raises:
        TranslateError: the dataset is unknown or exists already, or cannot be downloaded or unpacked.
    """
    if name not in SETS:
        raise UsageError(f"unknown dataset {name!r}{nearest(name, SETS)}")
    target = into / name
    if target.exists():
        raise UsageError(f"{target} exists: remove it, or choose another folder with --into")
    if name in WITHHELD and not source:
        raise UsageError(f"{name}: {WITHHELD[name]}")
    if source and not source.startswith(("http://", "https://")):
        raise UsageError(f"--from is {source!r}, but must begin with http:// or https://")
    into.mkdir(parents=True, exist_ok=True)
    archive = into / f"{name}.download"
    download(source or default_url(name), archive)
    with archive.open("rb") as file:
        click.echo(f"{name}: the archive's SHA-256 is {hashlib.file_digest(file, 'sha256').hexdigest()}")
    unpack(archive, target, top=name.removesuffix("-unpaired"))
    return target


def default_url(name: str) -> str:
    """Return the URL on the authors' server, where paired and unpaired datasets may have the same name."""
    if name in PAIRED:
        return f"{HOST}/pix2pix/datasets/{name}.tar.gz"
    return f"{HOST}/cyclegan/datasets/{name.removesuffix('-unpaired')}.zip"


def next_command(name: str, folder: Path) -> str:
    """Return a command to try with a downloaded dataset."""
    if name in PHOTOS:
        return f"translate apply MODEL {shlex.quote(str(folder))} -o out/{name}"
    data = "" if folder.parent == DATASETS else f" --data {shlex.quote(str(folder))}"
    return f"translate train configs/{name}.yaml{data}"


@click.command()
@click.argument("name", required=False)
@click.option(
    "--into", type=click.Path(path_type=Path), default=DATASETS, show_default=True, help="Parent folder."
)
@click.option("--from", "source", metavar="URL", help="Another URL of the same archive.")
@click.option("--list", "list_names", is_flag=True, help="List the known datasets.")
def main(name: str | None, into: Path, source: str | None, list_names: bool) -> None:
    """Download the published dataset NAME, check it and unpack it."""
    if list_names:
        for kind, sets in KINDS.items():
            click.echo("\n".join(f"{name:24}{kind:10}{about}" for name, about in sets.items()))
        return
    try:
        if not name:
            raise UsageError(f"no dataset is named{nearest('', SETS)}")
        folder = fetch(name, into, source)
        click.echo(f"{folder} is ready; try: {next_command(name, folder)}")
    except TranslateError as error:
        stop(str(error), error.exit_code)
    except OSError as error:
        remedy = f"fix that, or remove {into / f'{name}.download'} to download from the start"
        stop(f"{error.filename or into}: {error.strerror or error}; {remedy}", 1)
    except KeyboardInterrupt:
        stop(f"interrupted, and the partial download is kept: {RESUME}", 130)


def stop(message: str, code: int) -> None:
    """Print an error and exit."""
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
