"""`translate apply` on whole folders: any files, formats and names, interruptions, and mistakes."""

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
from tests.integration.conftest import Command, Result, environment, on_cpu
from tests.unit.images.image_samples import (
    STORED_BY_ORIENTATION,
    gamma_curve,
    ramps_16bit,
    rgb_profile,
    save_image,
    write_16bit_png,
)
from tests.unit.inference.making import random_model
from translate.errors import DataError
from translate.images import Frame, ImageFile, read, read_rgb, write
from translate.images.files import SUFFIXES
from translate.images.left_out import UNREADABLE_SUFFIXES

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
ORIENTATION, GPS, LATITUDE = 0x0112, 0x8825, 2
TORCH = ("--engine", "torch")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a small ResNet."""
    random_model().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def all_files(out: Path) -> list[str]:
    """Return the paths of all files in a folder, hidden ones included."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir())


def test_the_folder_tree_is_kept_and_bad_files_are_reported(
    translate: Command, within: Command, model: Path, tmp_path: Path
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
    (photos / "notes.txt").write_text("not an image")
    reasons = {
        "empty.png": "the file is empty",
        "gone.png": "No such file or directory",
        "loop.png": "Too many levels of symbolic links",
        "text.png": "not an image of a known format",
    }
    if os.geteuid():  # Root may read any file.
        noise(photos / "closed.png").chmod(0)
        reasons["closed.png"] = "Permission denied"
    result = translate(
        "apply", model, "photos", "-o", "photos/out", "--report", "report.json", *TORCH, code=3
    )
    out, failures = photos / "out", len(reasons) + 1
    count = len(sizes) + failures
    assert all_files(out) == sorted(sizes)
    for name, size in sizes.items():
        assert read_rgb(out / name).shape == (*size, 3)
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    for name, reason in reasons.items():
        assert sum(line.startswith(f"failed: photos/{name}: {reason}") for line in failed) == 1
    assert len(failed) == len(reasons)
    assert "left out: 1 .heic (cannot be decoded: convert it to JPEG, PNG or TIFF); 1 .txt (" in result.stderr
    assert f"{failures} of {count} images could not be translated" in result.stderr
    report = {entry["in"]: entry for entry in json.loads((tmp_path / "report.json").read_text())}
    assert len(report) == count
    assert report["photos/a.png"]["out"] == "photos/out/a.png"
    assert report["photos/a.png"]["size"] == [511, 257]
    assert report["photos/empty.png"]["out"] is None
    assert report["photos/empty.png"]["failed"] == "photos/empty.png: the file is empty: copy it again"
    again = within("apply", model, "photos", "-o", "photos/out", *TORCH, code=3)
    assert "0 images written to photos/out" in again.stdout
    assert f"{len(sizes)} done before (--overwrite" in again.stdout


# A model that returns its input, so that the output files must equal the input files.


def write_all_kinds_of_files(root: Path) -> None:
    """Write files of each kind that a pipeline in 8-bit RGB would damage."""
    root.mkdir()
    for channels, name in enumerate(("gray", "gray-alpha", "rgb", "rgba"), 1):
        write_16bit_png(root / f"{name}16.png", ramps_16bit(channels))
    deep = Frame(pixels=ramps_16bit(3))
    write(ImageFile(format="TIFF", frames=[deep]), root / "rgb16.tif")
    wide = rgb_profile(gamma_curve(2.2))
    planes = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    save_image(Image.fromarray(planes), root / "alpha.png")
    save_image(Image.fromarray(planes), root / "wide.png", icc_profile=wide)
    save_image(Image.fromarray(planes), root / "alpha.webp", lossless=True, exact=True)
    save_image(Image.fromarray(planes[..., 0]), root / "gray.png")
    rows, columns = np.mgrid[:120, :160]
    smooth = np.dstack([rows * 2, columns, 255 - rows - columns // 2]).astype(np.uint8)
    for flag, turned in STORED_BY_ORIENTATION.items():
        exif = Image.Exif()
        exif[ORIENTATION] = flag
        image = Image.fromarray(np.ascontiguousarray(turned(smooth)))
        save_image(image, root / f"flag{flag}.jpg", exif=exif, quality=90)
    shapes = np.random.default_rng(1).integers(64, 192, (6, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(shapes).resize((640, 480), Image.Resampling.BICUBIC)
    for quality in (60, 85, 97):
        save_image(photo, root / f"quality{quality}.jpg", quality=quality, icc_profile=wide)
    frames = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (0, 99, 200, 255)]
    for suffix in ("gif", "png", "webp"):
        more = {"lossless": True} if suffix == "webp" else {}
        path = root / f"moving.{suffix}"
        save_image(frames[0], path, save_all=True, append_images=frames[1:], duration=120, **more)
    save_image(frames[0], root / "pages.tif", save_all=True, append_images=frames[1:])


def test_an_identity_model_returns_every_file_unchanged(translate: Command, tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    write_all_kinds_of_files(root)
    translate("apply", IDENTITY, "in", "-o", "out", *TORCH)
    assert all_files(out) == all_files(root)
    for name in all_files(root):
        before, after = read(root / name), read(out / name)
        assert (after.format, after.icc, len(after.frames)) == (before.format, before.icc, len(before.frames))
        for source, target in zip(before.frames, after.frames, strict=True):
            assert source.pixels.dtype == target.pixels.dtype
            if name.endswith(".jpg"):  # Lossy: it was encoded twice.
                assert np.abs(source.rgb().astype(int) - target.rgb()).mean() < 2
            elif before.icc:  # It was converted to sRGB, which has fewer colours, and back.
                assert np.abs(source.rgb().astype(int) - target.rgb()).mean() < 0.5
            else:
                assert np.array_equal(source.rgb(), target.rgb())
            assert (source.alpha is None) == (target.alpha is None)
            assert source.alpha is None or np.array_equal(source.alpha, target.alpha)
    for channels, name in ((1, "gray16.png"), (3, "rgb16.png"), (4, "rgba16.png"), (3, "rgb16.tif")):
        (frame,) = read(out / name).frames
        planes = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        for channel in range(channels):
            assert len(np.unique(planes[..., channel])) == 65536
    upright = read_rgb(out / "flag1.jpg")
    for flag in STORED_BY_ORIENTATION:
        assert np.abs(read_rgb(out / f"flag{flag}.jpg").astype(int) - upright).mean() < 2
        with Image.open(out / f"flag{flag}.jpg") as image:
            assert image.getexif().get(ORIENTATION, 1) == 1
    for quality in (60, 85, 97):
        size = (root / f"quality{quality}.jpg").stat().st_size
        assert abs((out / f"quality{quality}.jpg").stat().st_size / size - 1) < 0.1


def is_readable(path: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # They report small damage.
            read(path)
    except DataError:
        return False
    return True


def test_odd_files_are_translated_or_reported_by_name(
    within: Command, real_data: Path, tmp_path: Path
) -> None:
    odd = real_data / "odd"
    files = [path for path in sorted(odd.iterdir()) if path.suffix.lower() in SUFFIXES | UNREADABLE_SUFFIXES]
    readable = [path.name for path in files if is_readable(path)]
    result = within("apply", IDENTITY, odd, "-o", "out", *TORCH, code=3)
    assert all_files(tmp_path / "out") == readable
    refused = [line.split(": ")[1] for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert refused == [str(path) for path in files if path.name not in readable]
    warnings.simplefilter("ignore")
    for name in readable:
        before, after = read(odd / name), read(tmp_path / "out" / name)
        assert len(before.frames) == len(after.frames)
        for source, target in zip(before.frames, after.frames, strict=True):
            assert source.size == target.size
            assert source.high_bit_depth == target.high_bit_depth
    decodable = [
        line.split("\t")[0]
        for line in (odd / "MANIFEST.tsv").read_text().splitlines()
        if "\tdecodes\t" in line
    ]
    # Pillow opens some files that this package refuses: other formats, and pixels without a defined range.
    assert len(set(decodable) - set(readable)) <= len(decodable) // 10


def test_images_that_the_output_format_cannot_hold_are_reported(within: Command, tmp_path: Path) -> None:
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
    assert all_files(tmp_path / "out") == ["a-2.jpg", "a.jpg", "place.jpg"]
    assert read_rgb(tmp_path / "out" / "a-2.jpg").min() == 255
    with Image.open(tmp_path / "out" / "place.jpg") as image:
        assert LATITUDE in image.getexif().get_ifd(GPS)
    failures = {
        "in/large.png": ("1100x1000", "--max-megapixels 2"),
        "in/pages.tif": ("2 pages", "JPEG", "--format keep"),
        "in/moving.gif": ("2 frames", "JPEG", "--format keep"),
    }
    for file, words in failures.items():
        (line,) = [line for line in result.stderr.splitlines() if line.startswith(f"failed: {file}: ")]
        assert all(word in line for word in words), line
    assert "3 of 6 images" in result.stderr.splitlines()[-1]


# The same command again, and a command that was interrupted.


def test_existing_images_are_skipped_without_overwrite(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.png")
    within("apply", IDENTITY, "photos", "-o", "out", *TORCH)
    before = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    noise(tmp_path / "photos" / "b.png", seed=1)
    shutil.copy(tmp_path / "photos" / "b.png", tmp_path / "out" / "b.png")
    result = within("apply", IDENTITY, "photos", "-o", "out", *TORCH)
    assert result.stdout == (
        "0 images written to out, 1 done before (--overwrite translates them again), 1 left alone\n"
    )
    assert "skipped: out/b.png: exists, and was not made from these images:" in result.stderr
    assert "--overwrite to replace it" in result.stderr
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == before
    result = within("apply", IDENTITY, "photos", "-o", "out", *TORCH, "--overwrite")
    assert result.stdout == "2 images written to out\n"
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns > before


class ManyImages:
    """A command `translate apply` for many small images, with a model that returns its input."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.out, self.count = folder, folder / "out", count
        names = [f"{number % 5}/{number:04}.png" for number in range(count)]
        images = [noise(folder / "noise" / f"{seed}.png", 48, 40 + seed, seed=seed) for seed in range(10)]
        for number, name in enumerate(names):
            path = folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(images[number % 10], path)
        self.arguments = ["apply", IDENTITY, "in", "-o", "out", "--report", "report.json", *TORCH]
        # The inode and the time of each finished file, at its first check.
        self.checked: dict[Path, tuple[int, int]] = {}

    def interrupt(self, done: int, number: signal.Signals) -> Result:
        """Run the command, and send it a signal as soon as a number of images is done."""
        output = self.folder / "stdout", self.folder / "stderr"
        process = warm.start(on_cpu(*self.arguments), self.folder, environment(), output)
        while len(self.finished()) < done and process.is_alive():
            time.sleep(0.001)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode is not None
        return Result(self.arguments, process.exitcode, *(path.read_text() for path in output))

    def finished(self) -> list[Path]:
        return [path for path in self.out.glob("*/*") if not path.name.startswith(".")]

    def check(self) -> None:
        """Check that each finished file is complete, and that none was written again since the last check."""
        for path in self.finished():
            status = path.stat()
            before = self.checked.setdefault(path, (status.st_ino, status.st_mtime_ns))
            assert before == (status.st_ino, status.st_mtime_ns)
            assert np.array_equal(read_rgb(path), read_rgb(self.folder / "in" / path.relative_to(self.out)))


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_command_leaves_complete_files_and_can_be_continued(
    kills: int, translate: Command, tmp_path: Path
) -> None:
    # Far more images than are done at the last kill, so that the command is not at its end before the kill.
    run, rng = ManyImages(tmp_path, 100 * kills + 500), random.Random(kills)
    for kill in range(kills):
        done = 100 * kill + rng.randrange(1, 100)
        assert run.interrupt(done, signal.SIGKILL).returncode == -signal.SIGKILL
        assert done <= len(run.finished()) < run.count
        run.check()
    for temporary in run.out.glob("*/.*"):  # New ones are kept: they may belong to another process.
        os.utime(temporary, (0, 0))
    result = translate(*run.arguments)
    before = len(run.checked)
    run.check()
    assert f"{run.count - before} images written to out, {before} done before" in result.stdout
    assert all_files(run.out) == all_files(tmp_path / "in")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_command_prints_one_line_and_writes_the_report(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    run = ManyImages(tmp_path, 600)
    result = run.interrupt(100, number)
    assert (result.returncode, result.stdout) == (code, "")
    about_size, line = result.stderr.splitlines()
    assert "own size" in about_size
    report = json.loads((tmp_path / "report.json").read_text())
    assert f"stopped after {len(report)} of 600 images" in line
    assert 90 < len(report) < 600
    assert {tmp_path / entry["out"] for entry in report} <= set(run.finished())
    assert [name for name in all_files(run.out) if "part" in name] == []
    run.check()


def test_originals_are_never_overwritten(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.png")
    before = (tmp_path / "photos" / "a.png").read_bytes()
    for image in ("photos", "photos/a.png"):
        result = within("apply", IDENTITY, image, "-o", "photos", "--overwrite", code=2)
        assert "error: " in result.stderr
        assert "photos" in result.stderr
    assert (tmp_path / "photos" / "a.png").read_bytes() == before


def test_a_mistake_is_reported_in_one_line(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    shutil.copytree(IDENTITY, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"not a model")
    (tmp_path / "folder").mkdir()
    for arguments, code, reason in (
        (("nowhere", "a.png", "-o", "out"), 2, "'nowhere'"),
        ((IDENTITY, "b.png", "-o", "out"), 2, "'b.png'"),
        ((IDENTITY, "folder", "-o", "out"), 2, "folder"),
        ((IDENTITY, "a.png", "-o", "x" * 300), 2, "x: File name too long"),
        (("damaged", "a.png", "-o", "out"), 1, "damaged/model.safetensors"),
        ((IDENTITY, "a.png", "-o", "out", "--tile", "9"), 2, "tile is '9'"),
        ((IDENTITY, "a.png", "-o", "out", "--direction", "BtoA"), 2, "'BtoA'"),
    ):
        (line,) = within("apply", *arguments, *TORCH, code=code).stderr.splitlines()
        assert line.startswith("error: ")
        assert reason in line
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_refused_before_the_work(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "in" / "a.png")
    result = within("apply", IDENTITY, "in", "-o", "out", "--report", "in", *TORCH, code=1)
    (line,) = result.stderr.splitlines()
    assert "the report in: Is a directory" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="file names of other systems are Unicode")
def test_file_names_that_are_not_unicode_are_kept(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "in" / os.fsdecode(b"caf\xe9.png"))
    (tmp_path / "in" / os.fsdecode(b"\xff.png")).write_text("no image")
    out = os.fsdecode(b"o\xfft\n")
    result = within("apply", IDENTITY, "in", "-o", out, *TORCH, code=3)
    assert result.stdout == "1 image written to o\\udcfft\\n\n"
    assert "failed: in/\\udcff.png: not an image" in result.stderr
    assert all_files(tmp_path / out) == [os.fsdecode(b"caf\xe9.png")]
