"""A folder in, the same folder out, whatever lies in it and whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import noise
from tests.integration import warm
from tests.integration.conftest import Command, Result, environment
from tests.unit.images.making import STORED, deep_png, gamma, profile, ramps, saved
from tests.unit.inference.making import lively
from translate.errors import DataError
from translate.images import Frame, ImageFile, read, read_rgb, write
from translate.images.files import FOREIGN, SUFFIXES

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
ORIENTATION, GPS, LATITUDE = 0x0112, 0x8825, 2
TORCH = ("--engine", "torch")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a small ResNet."""
    lively().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def written(out: Path) -> list[str]:
    """All files of a folder, hidden ones too."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())


def test_a_tree_comes_back_as_it_was(
    translate: Command,
    model: Path,
    tmp_path: Path,
    shared_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    within: Command,
) -> None:
    photos = tmp_path / "photos"
    sizes = {
        "a.jpg": (24, 32),
        "a.png": (257, 511),
        "A.PNG": (40, 40),
        "sub/a.jpg": (33, 20),
        "1x1.png": (1, 1),
        "long.png": (300, 20000),
        "naïve\nname.webp": (30, 30),
        "x" * 251 + ".png": (9, 8),
    }
    for name, size in sizes.items():
        noise(photos / name, *size)
    (photos / "loop").symlink_to(photos)
    (photos / "loop.png").symlink_to("loop.png")
    (photos / "empty.png").touch()
    (photos / "gone.png").symlink_to("nowhere.png")
    (photos / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (photos / "text.png").write_text("no image")
    (photos / "notes.txt").write_text("not asked for")
    reasons = {
        "empty.png": "the file is empty",
        "gone.png": "No such file or directory",
        "loop.png": "Too many levels of symbolic links",
        "phone.heic": ".heic files are not read: convert it to JPEG, PNG or TIFF",
        "text.png": "not an image of a known format",
    }
    if os.geteuid():  # to root nothing is closed
        noise(photos / "closed.png").chmod(0)
        reasons["closed.png"] = "Permission denied"
    result = translate(
        "apply", model, "photos", "-o", "photos/out", "--report", "report.json", *TORCH, code=3
    )
    out, count = photos / "out", len(sizes) + len(reasons)
    assert written(out) == sorted(sizes)
    for name, size in sizes.items():
        assert read_rgb(out / name).shape == (*size, 3)
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    for name, reason in reasons.items():
        assert sum(line.startswith(f"failed: photos/{name}: {reason}") for line in failed) == 1
    assert len(failed) == len(reasons)
    assert f"{len(reasons)} of {count} images could not be translated" in result.stderr
    report = {entry["in"]: entry for entry in json.loads((tmp_path / "report.json").read_text())}
    assert len(report) == count
    assert report["photos/a.png"]["out"] == "photos/out/a.png"
    assert report["photos/a.png"]["size"] == [511, 257]
    assert report["photos/empty.png"]["out"] is None
    assert report["photos/empty.png"]["failed"] == "photos/empty.png: the file is empty"
    again = within("apply", model, "photos", "-o", "photos/out", *TORCH, code=3)
    assert f"0 images in photos/out, {len(sizes)} done before (--overwrite" in again.stdout


# Nothing is lost on the way: a model that changes nothing


def a_bit_of_everything(root: Path) -> None:
    """Files of each kind that a pipeline through 8-bit RGB would harm."""
    root.mkdir()
    for channels, name in enumerate(("gray", "gray-alpha", "rgb", "rgba"), 1):
        deep_png(root / f"{name}16.png", ramps(channels))
    deep = Frame(pixels=ramps(3))
    write(ImageFile(format="TIFF", frames=[deep]), root / "rgb16.tif")
    wide = profile(gamma(2.2))
    planes = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    saved(Image.fromarray(planes), root / "alpha.png")
    saved(Image.fromarray(planes), root / "wide.png", icc_profile=wide)
    saved(Image.fromarray(planes), root / "alpha.webp", lossless=True, exact=True)
    saved(Image.fromarray(planes[..., 0]), root / "gray.png")
    rows, columns = np.mgrid[:120, :160]
    smooth = np.dstack([rows * 2, columns, 255 - rows - columns // 2]).astype(np.uint8)
    for flag, turned in STORED.items():
        exif = Image.Exif()
        exif[ORIENTATION] = flag
        image = Image.fromarray(np.ascontiguousarray(turned(smooth)))
        saved(image, root / f"flag{flag}.jpg", exif=exif, quality=90)
    shapes = np.random.default_rng(1).integers(64, 192, (6, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(shapes).resize((640, 480), Image.Resampling.BICUBIC)
    for quality in (60, 85, 97):
        saved(photo, root / f"quality{quality}.jpg", quality=quality, icc_profile=wide)
    frames = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (0, 99, 200, 255)]
    for suffix in ("gif", "png", "webp"):
        more = {"lossless": True} if suffix == "webp" else {}
        path = root / f"moving.{suffix}"
        saved(frames[0], path, save_all=True, append_images=frames[1:], duration=120, **more)
    saved(frames[0], root / "pages.tif", save_all=True, append_images=frames[1:])


def test_a_model_that_changes_nothing_gives_each_file_back(translate: Command, tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    a_bit_of_everything(root)
    translate("apply", IDENTITY, "in", "-o", "out", *TORCH)
    assert written(out) == written(root)
    for name in written(root):
        before, after = read(root / name), read(out / name)
        assert (after.format, after.icc, len(after.frames)) == (before.format, before.icc, len(before.frames))
        for one, other in zip(before.frames, after.frames, strict=True):
            assert one.pixels.dtype == other.pixels.dtype
            if name.endswith(".jpg"):  # encoded twice
                assert np.abs(one.rgb().astype(int) - other.rgb()).mean() < 2
            elif before.icc:  # through sRGB, which has fewer colours
                assert np.abs(one.rgb().astype(int) - other.rgb()).mean() < 0.5
            else:
                assert np.array_equal(one.rgb(), other.rgb())
            assert (one.alpha is None) == (other.alpha is None)
            assert one.alpha is None or np.array_equal(one.alpha, other.alpha)
    for channels, name in ((1, "gray16.png"), (3, "rgb16.png"), (4, "rgba16.png"), (3, "rgb16.tif")):
        (frame,) = read(out / name).frames
        planes = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        for channel in range(channels):
            assert len(np.unique(planes[..., channel])) == 65536
    upright = read_rgb(out / "flag1.jpg")
    for flag in STORED:
        assert np.abs(read_rgb(out / f"flag{flag}.jpg").astype(int) - upright).mean() < 2
        with Image.open(out / f"flag{flag}.jpg") as image:
            assert image.getexif().get(ORIENTATION, 1) == 1
    for quality in (60, 85, 97):
        size = (root / f"quality{quality}.jpg").stat().st_size
        assert abs((out / f"quality{quality}.jpg").stat().st_size / size - 1) < 0.1


def is_readable(path: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small damage
            read(path)
    except DataError:
        return False
    return True


def test_odd_files_come_back_or_are_refused_by_name(within: Command, real_data: Path, tmp_path: Path) -> None:
    odd = real_data / "odd"
    files = [path for path in sorted(odd.iterdir()) if path.suffix.lower() in SUFFIXES | FOREIGN]
    readable = [path.name for path in files if is_readable(path)]
    result = within("apply", IDENTITY, odd, "-o", "out", *TORCH, code=3)
    assert written(tmp_path / "out") == readable
    refused = [line.split(": ")[1] for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert refused == [str(path) for path in files if path.name not in readable]
    warnings.simplefilter("ignore")
    for name in readable:
        before, after = read(odd / name), read(tmp_path / "out" / name)
        assert len(before.frames) == len(after.frames)
        for one, other in zip(before.frames, after.frames, strict=True):
            assert one.size == other.size
            assert one.deep == other.deep
    decoded = [
        line.split("\t")[0]
        for line in (odd / "MANIFEST.tsv").read_text().splitlines()
        if "\tdecodes\t" in line
    ]
    # What Pillow opens and we do not: formats outside our list, pixels without an agreed range.
    assert len(set(decoded) - set(readable)) <= len(decoded) // 10


def test_another_format_and_what_it_cannot_hold(within: Command, tmp_path: Path) -> None:
    root = tmp_path / "in"
    noise(root / "a.jpg")
    exif = Image.Exif()
    exif.get_ifd(GPS)[LATITUDE] = (52.0, 31.0, 12.0)
    Image.new("RGB", (16, 16)).save(root / "place.jpg", exif=exif)
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(root / "a.png")
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    for name in ("moving.gif", "pages.tif"):
        frames[0].save(root / name, save_all=True, append_images=frames[1:])
    noise(root / "large.png", 1000, 1100)
    options = ("--format", "jpg", "--keep-metadata", "--max-megapixels", "1")
    result = within("apply", IDENTITY, "in", "-o", "out", *options, *TORCH, code=3)
    assert written(tmp_path / "out") == ["a-2.jpg", "a.jpg", "place.jpg"]
    assert read_rgb(tmp_path / "out" / "a-2.jpg").min() == 255
    with Image.open(tmp_path / "out" / "place.jpg") as image:
        assert LATITUDE in image.getexif().get_ifd(GPS)
    for line in (
        "failed: in/large.png: 1100x1000 are 1.1 megapixels, over the limit of 1:"
        " raise it with --max-megapixels 2",
        "failed: in/pages.tif: 2 pages, which JPEG cannot hold: use --format keep",
        "failed: in/moving.gif: 2 frames, which JPEG cannot hold: use --format keep",
        "error: 3 of 6 images could not be translated",
    ):
        assert line in result.stderr.splitlines()


# A second run, and one that was cut short


def test_what_is_there_is_left_alone_unless_asked(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.png")
    within("apply", IDENTITY, "photos", "-o", "out", *TORCH)
    before = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    noise(tmp_path / "photos" / "b.png", seed=1)
    shutil.copy(tmp_path / "photos" / "b.png", tmp_path / "out" / "b.png")
    lines = within("apply", IDENTITY, "photos", "-o", "out", *TORCH).stdout.splitlines()
    assert lines == [
        "0 images in out, 1 done before, 1 there already, and not known to come from this image"
        " (--overwrite translates them again)"
    ]
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == before
    assert "2 images in out" in within("apply", IDENTITY, "photos", "-o", "out", *TORCH, "--overwrite").stdout
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns > before


class Run:
    """`translate apply` of many small images with a model that changes nothing."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.out, self.count = folder, folder / "out", count
        names = [f"{number % 5}/{number:04}.png" for number in range(count)]
        made = [noise(folder / "made" / f"{seed}.png", 48, 40 + seed, seed=seed) for seed in range(10)]
        for number, name in enumerate(names):
            path = folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made[number % 10], path)
        self.arguments = ["apply", IDENTITY, "in", "-o", "out", "--report", "report.json", *TORCH]
        self.seen: dict[Path, tuple[int, int]] = {}  # the finished files, each by its inode and its time

    def until(self, done: int, number: signal.Signals) -> Result:
        """Start it, and send it a signal as soon as so many images are done."""
        told = self.folder / "told.out", self.folder / "told.err"
        process = warm.start(list(map(str, self.arguments)), self.folder, environment(), told)
        while len(self.finished()) < done and process.is_alive():
            time.sleep(0.001)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode is not None
        return Result(self.arguments, process.exitcode, *(path.read_text() for path in told))

    def finished(self) -> list[Path]:
        return [path for path in self.out.glob("*/*") if not path.name.startswith(".")]

    def look(self) -> None:
        """Each finished file is whole, and those that were finished earlier were not done again."""
        for path in self.finished():
            about = path.stat()
            known = self.seen.setdefault(path, (about.st_ino, about.st_mtime_ns))
            assert known == (about.st_ino, about.st_mtime_ns)
            assert np.array_equal(read_rgb(path), read_rgb(self.folder / "in" / path.relative_to(self.out)))


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_leaves_whole_files_and_goes_on(
    kills: int, translate: Command, tmp_path: Path
) -> None:
    run, draw = Run(tmp_path, 100 * (kills + 1)), random.Random(kills)
    for kill in range(kills):
        done = 100 * kill + draw.randrange(1, 100)
        assert run.until(done, signal.SIGKILL).returncode == -signal.SIGKILL
        assert done <= len(run.finished()) < run.count
        run.look()
    result = translate(*run.arguments)
    before = len(run.seen)
    run.look()
    assert result.stdout.startswith(f"{run.count - before} images in out, {before} done before")
    assert written(run.out) == written(tmp_path / "in")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_one_line_and_writes_the_report(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    run = Run(tmp_path, 600)
    result = run.until(100, number)
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    report = json.loads((tmp_path / "report.json").read_text())
    assert line == f"stopped: {len(report)} of 600 are done; the same command goes on"
    assert 90 < len(report) < 600
    assert {tmp_path / entry["out"] for entry in report} <= set(run.finished())
    assert [name for name in written(run.out) if "part" in name] == []
    run.look()


def test_originals_are_never_overwritten(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.png")
    assert "is the input folder itself" in within("apply", IDENTITY, "photos", "-o", "photos", code=2).stderr
    assert "itself lies" in within("apply", IDENTITY, "photos/a.png", "-o", "photos", code=2).stderr


def test_mistakes_are_one_line(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    shutil.copytree(IDENTITY, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"not a model")
    (tmp_path / "folder").mkdir()
    for arguments, code, reason in (
        (("nowhere", "a.png", "-o", "out"), 2, "no model 'nowhere': give a run"),
        ((IDENTITY, "b.png", "-o", "out"), 2, "no file or folder 'b.png'"),
        ((IDENTITY, "a.png", "-o", "x" * 300), 2, "x: File name too long: give another path"),
        (("damaged", "a.png", "-o", "out"), 1, "is damaged"),
        ((IDENTITY, "a.png", "-o", "out", "--tile", "9"), 2, "tile is '9', but must be auto, off, or a side"),
    ):
        result = within("apply", *arguments, code=code)
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_report_that_cannot_be_written_is_told_before_the_work(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "in" / "a.png")
    result = within("apply", IDENTITY, "in", "-o", "out", "--report", "in", *TORCH, code=1)
    assert result.stderr.splitlines() == ["error: cannot write the report in: Is a directory"]
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="names of other systems are text")
def test_folders_of_any_name_will_do(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "in" / os.fsdecode(b"caf\xe9.png"))
    (tmp_path / "in" / os.fsdecode(b"\xff.png")).write_text("no image")
    out = os.fsdecode(b"o\xfft\n")
    result = within("apply", IDENTITY, "in", "-o", out, *TORCH, code=3)
    assert result.stdout == "1 image in o\\udcfft\\n\n"
    assert "failed: in/\\udcff.png: not an image" in result.stderr
    assert written(tmp_path / out) == [os.fsdecode(b"caf\xe9.png")]
