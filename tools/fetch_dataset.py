"""Bring a published data set into datasets/: download, check, unpack.

    python tools/fetch_dataset.py facades
    python tools/fetch_dataset.py --list

A download that broke off goes on where it stopped when the same command is given again.
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
LARGEST_SET = 100 * 10**9  # bytes unpacked
LARGEST_RATIO = 200  # bytes unpacked for each byte of the archive; images reach about 1
AGAIN = "run the same command again to go on"
DAMAGE = (
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
    "facades-unpaired": "400 building fronts and labels, apart",
    "horse2zebra": "939 horses, 1177 zebras",
    "iphone2dslr_flower": "1813 flowers by iPhone, 3316 by DSLR",
    "maps-unpaired": "1096 aerial photos and maps, apart",
    "monet2photo": "1074 Monets, 6853 landscape photos",
    "summer2winter_yosemite": "1273 summers, 854 winters",
    "ukiyoe2photo": "1433 ukiyo-e prints, 6853 landscape photos",
    "vangogh2photo": "401 Van Goghs, 6853 landscape photos",
}
PHOTOS = {"ae_photos": "landscape photos to apply the painters' models to"}
KINDS = {"paired": PAIRED, "unpaired": UNPAIRED, "photos": PHOTOS}
SETS = PAIRED | UNPAIRED | PHOTOS
WITHHELD = {
    "cityscapes": "its licence forbids the authors to pass it on; see datasets/README.md, or try --from URL"
}


class Progress:
    """Bytes, rate and time left on stderr: one moving line, or a line every 10 s in a log."""

    def __init__(self, name: str, done: int, total: int | None) -> None:
        self.name, self.first, self.done, self.total = name, done, done, total
        self.began = self.shown = time.monotonic()

    def add(self, count: int, last: bool = False) -> None:
        self.done += count
        moving = sys.stderr.isatty()
        if last or time.monotonic() - self.shown > (0.2 if moving else 10):
            self.shown = time.monotonic()
            click.echo(f"{chr(13) * moving}{self.text():60}", err=True, nl=last or not moving)

    def text(self) -> str:
        rate = (self.done - self.first) / max(self.shown - self.began, 1e-3)
        if self.total is None:
            return f"{self.name}: {megabytes(self.done)}, {megabytes(rate)}/s"
        left = f"{(self.total - self.done) / max(rate, 1):.0f} s left"
        return f"{self.name}: {megabytes(self.done)} of {megabytes(self.total)}, {megabytes(rate)}/s, {left}"


def megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def download(url: str, part: Path) -> None:
    """Bring `url` into the file `part`, going on from what an earlier try left there."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=30) as response:
            receive(response, part, done)
    except HTTPError as error:
        error.close()
        if error.code != 416:  # nothing is left to send
            raise TranslateError(f"{url} answers {error.code} {error.reason}: try --from URL") from None
    except (URLError, HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise TranslateError(f"cannot download {url} ({reason}): {AGAIN}") from None


def receive(response: HTTPResponse, part: Path, done: int) -> None:
    """Append the answer to `part`; a server that ignores Range sends all, which replaces it."""
    start = done if response.status == 206 else 0
    total = None if response.length is None else start + response.length
    progress = Progress(part.stem, start, total)
    with part.open("ab" if start else "wb") as file:
        try:
            while chunk := response.read1(2**20):
                file.write(chunk)
                progress.add(len(chunk))
        finally:
            progress.add(0, last=True)
    if total is not None and progress.done < total:
        raise TranslateError(f"broke off at {megabytes(progress.done)} of {megabytes(total)}: {AGAIN}")


def unpack(archive: Path, target: Path, top: str) -> None:
    """Unpack (the set is the folder `top`, if there is one) and rename: it is there whole or not at all."""
    opened = unzip if zipfile.is_zipfile(archive) else untar
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as spare:
            folder = Path(spare) / "set"
            opened(archive, folder, limit=min(LARGEST_SET, LARGEST_RATIO * archive.stat().st_size))
            (folder / top if (folder / top).is_dir() else folder).rename(target)
    except (DataError, *DAMAGE) as error:
        archive.unlink()
        damaged = "" if isinstance(error, DataError) else "the archive is damaged: "
        reason = " ".join(f"{damaged}{str(error) or type(error).__name__}".split())
        raise DataError(f"{reason}; it is removed: run the same command again, or try --from URL") from None
    archive.unlink()


def unzip(archive: Path, folder: Path, limit: int) -> None:
    with zipfile.ZipFile(archive) as file:
        vet(((m.filename, m.file_size, not S_ISLNK(m.external_attr >> 16)) for m in file.infolist()), limit)
        if bad := file.testzip():
            raise zipfile.BadZipFile(f"checksum of {bad!r}")
        file.extractall(folder)


def untar(archive: Path, folder: Path, limit: int) -> None:
    with gzip.open(archive) as stream:
        size = 0
        while chunk := stream.read(2**20):  # to the end, where the checksum is
            size += len(chunk)
            refuse_bomb(size, limit)
    with tarfile.open(archive, "r:gz") as file:
        vet(((m.name, m.size, m.isfile() or m.isdir()) for m in file), limit)
        # The filter came with Python 3.11.4; what it refuses has been refused above.
        file.extraction_filter = getattr(tarfile, "data_filter", None)
        file.extractall(folder)


def vet(members: Iterable[tuple[str, int, bool]], limit: int) -> None:
    """Refuse what leaves its folder, links and devices, and too much; (name, bytes, is plain) each."""
    total = 0
    for name, size, plain in members:
        path = PureWindowsPath(name)  # knows both slashes, and drives
        if path.anchor or ".." in path.parts:
            raise DataError(f"{name!r} in the archive lies outside its folder")
        if not plain:
            raise DataError(f"{name!r} in the archive is a link or a device")
        total += size
        refuse_bomb(total, limit)
    if not total:
        raise DataError("the archive is empty")


def refuse_bomb(size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"the archive unpacks to more than {megabytes(limit)}; the limit is {LARGEST_SET // 10**9} GB"
            f" and {LARGEST_RATIO} times its own size"
        )


def fetch(name: str, into: Path, source: str | None) -> Path:
    """Download, check and unpack the set `name`; gives its folder."""
    if name not in SETS:
        raise UsageError(f"unknown data set {name!r}{nearest(name, SETS)}")
    target = into / name
    if target.exists():
        raise UsageError(f"{target} exists: remove it, or choose another folder with --into")
    if name in WITHHELD and not source:
        raise UsageError(f"{name}: {WITHHELD[name]}")
    if source and not source.startswith(("http://", "https://")):
        raise UsageError(f"--from is {source!r}, but must begin with http:// or https://")
    into.mkdir(parents=True, exist_ok=True)
    archive = into / f"{name}.download"
    download(source or home(name), archive)
    with archive.open("rb") as file:
        click.echo(f"{name}: the archive's SHA-256 is {hashlib.file_digest(file, 'sha256').hexdigest()}")
    unpack(archive, target, top=name.removesuffix("-unpaired"))
    return target


def home(name: str) -> str:
    """Where the authors keep a set; two of theirs bear the same name, paired and unpaired."""
    if name in PAIRED:
        return f"{HOST}/pix2pix/datasets/{name}.tar.gz"
    return f"{HOST}/cyclegan/datasets/{name.removesuffix('-unpaired')}.zip"


def next_command(name: str, folder: Path) -> str:
    """What to try with a set that has arrived."""
    if name in PHOTOS:
        return f"translate apply MODEL {shlex.quote(str(folder))} -o out/{name}"
    elsewhere = "" if folder.parent == DATASETS else f" --data {shlex.quote(str(folder))}"
    return f"translate train configs/{name}.yaml{elsewhere}"


@click.command(help="Bring the published data set NAME into a folder: download, check, unpack.")
@click.argument("name", required=False)
@click.option("--into", type=click.Path(path_type=Path), default=DATASETS, help="Where [default: datasets].")
@click.option("--from", "source", metavar="URL", help="Another place that has the same archive.")
@click.option("--list", "listing", is_flag=True, help="Name the sets that are known.")
def main(name: str | None, into: Path, source: str | None, listing: bool) -> None:
    if listing:
        for kind, sets in KINDS.items():
            click.echo("\n".join(f"{known:24}{kind:10}{about}" for known, about in sets.items()))
        return
    try:
        if not name:
            raise UsageError(f"name a data set{nearest('', SETS)}")
        folder = fetch(name, into, source)
        click.echo(f"{folder} is ready; try: {next_command(name, folder)}")
    except TranslateError as error:
        stop(str(error), error.exit_code)
    except OSError as error:
        anew = f"put that right, or remove {into / f'{name}.download'} to start anew"
        stop(f"{error.filename or into}: {error.strerror or error}; {anew}", 1)
    except KeyboardInterrupt:
        stop(f"stopped; what was downloaded is kept: {AGAIN}", 130)


def stop(message: str, code: int) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
