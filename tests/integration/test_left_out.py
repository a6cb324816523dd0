"""Every command takes the same files of a folder as images, and reports the others in the same way."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import noise
from tests.integration.conftest import TINY_TRANSLATION, Command
from tests.integration.test_apply import IDENTITY, TORCH, all_files
from translate.images import read, read_rgb

JPEG, PNG = ("photo.jpe", "photo.mpo", "photo", "photo.jpg.download", "photo.heic", "IMG.0001"), ("p.APNG",)
SAVED_AS = {
    **dict.fromkeys(JPEG, "JPEG"),
    **dict.fromkeys(PNG, "PNG"),
    **dict.fromkeys(("bits.pbm", "any.pnm", "scan.dat"), "PPM"),
    **dict.fromkeys(("c.tga", "d.TGA"), "TGA"),
    **dict.fromkeys(("a.dib", "b.img"), "BMP"),
    "bare.dib": "DIB",
    "page.0": "TIFF",
    "moving.x": "GIF",
    "wrong.png": "WEBP",
}
CAMERA = b"II*\0\x08\0\0\0\0\0"  # A camera raw file is a TIFF, of which the first image is a thumbnail.
LEFT_OUT = {
    "a.heic": b"\0\0\0\x18ftypheic",
    "b.HEIC": b"\0\0\0\x18ftypheic",
    "c.jxl": b"\xff\x0a",
    "d.nef": CAMERA,
    "clip.mp4": b"\0\0\0\x18ftypmp42",
    "all.zip": b"PK\3\4",
    "array.npy": b"\x93NUMPY",
    "1.txt": b"a caption",
    "2.txt": b"P3 was our best player",
    "table.csv": b"name,class",
    "nothing": b"",
    "BMW": b"BM is short for bitmap, which this text is not",
}
NOISE = ("--image-size", "32", "--batch-size", "2", "--device", "cpu", "--dry-run")
HIDDEN = (".DS_Store", "._photo.jpg", ".cache/x.png")
TOLD = (
    "left out: 2 .heic, 1 .jxl (cannot be decoded: convert them to JPEG, PNG or TIFF);"
    " 1 .nef (camera raw: develop it to JPEG or TIFF); 1 .mp4 (a video: extract its frames);"
    " 1 .zip (an archive: unpack it); 1 .npy (an array: save its images as PNG or TIFF);"
    " 1 .csv, 2 .txt, 2 without suffix (no images)"
)


def write_files(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def encoded(image_format: str) -> bytes:
    """Return an image file of a format: random pixels, black and white for a PBM."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 32, 3), dtype=np.uint8))
    stream = io.BytesIO()
    image.save(stream, format=image_format)
    return stream.getvalue()


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of pairs with files of all kinds beside its images."""
    for number in range(3):
        noise(tmp_path / "odd" / f"{number}.png", 32, 64, seed=number)
    write_files(tmp_path / "odd", {**LEFT_OUT, **dict.fromkeys(HIDDEN, b"\xff\xd8\xff")})
    return tmp_path / "odd"


def test_images_are_found_by_suffix_and_by_content_and_keep_format_and_name(
    within: Command, tmp_path: Path
) -> None:
    write_files(tmp_path / "in", {name: encoded(image_format) for name, image_format in SAVED_AS.items()})
    result = within("apply", IDENTITY, "in", "-o", "out", *TORCH)
    assert all_files(tmp_path / "out") == sorted(SAVED_AS)
    assert "left out" not in result.stderr
    for name, image_format in SAVED_AS.items():
        before, after = read(tmp_path / "in" / name), read(tmp_path / "out" / name)
        assert (before.format, after.format) == (image_format, image_format)
        if image_format in ("PNG", "PPM", "TGA", "BMP", "DIB", "TIFF"):
            assert np.array_equal(before.frames[0].pixels, after.frames[0].pixels)
    converted = within("apply", IDENTITY, "in", "-o", "png", "--format", "png", *TORCH)
    assert f"{len(SAVED_AS)} images written" in converted.stdout
    for name in ("photo.png", "photo.jpg.download.png", "bare.png", "c.png", "wrong.png"):
        assert (tmp_path / "png" / name).exists()
    check = within("data", "check", "in")
    assert f"use {len(SAVED_AS)} training images" in check.stdout


@pytest.mark.parametrize("compression", [None, "tga_rle"])
def test_a_tga_keeps_alpha_that_its_header_declares(
    compression: str | None, within: Command, tmp_path: Path
) -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    for name in ("alpha.tga", "unused.tga"):
        Image.fromarray(rgba).save(tmp_path / "in" / name, compression=compression)
    content = bytearray((tmp_path / "in" / "unused.tga").read_bytes())
    content[17] &= 0xF0  # The header says that no bits are alpha, as of many 32-bit TGA files.
    (tmp_path / "in" / "unused.tga").write_bytes(content)
    within("apply", IDENTITY, "in", "-o", "out", *TORCH)
    with Image.open(tmp_path / "out" / "alpha.tga") as image:
        assert np.array_equal(np.asarray(image), rgba)
        assert image.info.get("compression") == compression
    with Image.open(tmp_path / "out" / "unused.tga") as image:
        assert np.array_equal(np.asarray(image), rgba[..., :3])


def test_what_is_left_out_is_counted_by_suffix_in_every_command(
    within: Command, odd: Path, tmp_path: Path
) -> None:
    applied = within("apply", IDENTITY, "odd", "-o", "out", "--report", "report.json", *TORCH, code=3)
    assert TOLD in applied.stderr.splitlines()
    assert "failed: " not in applied.stderr
    assert "4 of 7 images could not be translated" in applied.stderr
    assert all_files(tmp_path / "out") == ["0.png", "1.png", "2.png"]
    report = (tmp_path / "report.json").read_text()
    assert all(f"odd/{name}: " in report for name in ("a.heic", "b.HEIC", "c.jxl", "d.nef"))
    checked = within("data", "check", "odd", code=3)
    assert TOLD in checked.stdout.splitlines()
    trained = within("train", "pix2pix", "--data", "odd", *TINY_TRANSLATION, "--dry-run")
    assert TOLD in trained.stdout.splitlines() + trained.stderr.splitlines()
    generated = within("train", "dcgan", "--data", "odd", *NOISE)
    assert TOLD in generated.stdout.splitlines() + generated.stderr.splitlines()


def test_files_that_are_no_images_do_not_make_a_command_fail(within: Command, odd: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.jxl", "d.nef"):
        (odd / name).unlink()
    told = "left out: 1 .mp4 (a video: extract its frames); 1 .zip (an archive"
    assert told in within("apply", IDENTITY, "odd", "-o", "out", *TORCH).stderr
    assert told in within("data", "check", "odd").stdout


def test_a_folder_without_images_is_refused_with_what_it_holds(within: Command, tmp_path: Path) -> None:
    write_files(tmp_path / "videos", {"a.MP4": b"", "b.mp4": b"", "c.json": b"{}"})
    told = (
        "error: videos holds no images: left out: 2 .mp4 (videos: extract their frames); 1 .json (no image)"
    )
    for words in (
        ("apply", IDENTITY, "videos", "-o", "out", *TORCH),
        ("data", "check", "videos"),
        ("train", "dcgan", "--data", "videos"),
        ("train", "colorize", "--data", "videos"),
    ):
        assert told in within(*words, code=2).stderr


def test_linked_folders_are_searched_once_under_their_own_path(within: Command, tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "elsewhere"
    noise(inside / "z" / "own.png")
    noise(outside / "sub" / "far.png")
    (inside / "first").symlink_to(inside / "z")  # A link does not rename what is below the folder itself.
    (inside / "link").symlink_to(outside)
    (inside / "sub").symlink_to(outside / "sub")
    (inside / "z" / "loop").symlink_to(inside)
    (outside / "back").symlink_to(tmp_path)
    within("apply", IDENTITY, "in", "-o", "in/out", *TORCH)
    assert all_files(inside / "out") == ["link/sub/far.png", "z/own.png"]
    again = within("apply", IDENTITY, "in", "-o", "in/out", *TORCH)
    assert "2 done before" in again.stdout
    shutil.rmtree(inside / "out")
    assert "2 training images" in within("data", "check", "in").stdout


def test_a_folder_that_cannot_be_searched_is_named(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "c.png"):
        noise(tmp_path / "in" / name, 32, 64)
    noise(tmp_path / "in" / "closed" / "b.png", 32, 64)
    (tmp_path / "in" / "closed").chmod(0)
    if not os.geteuid():  # Root may read any folder.
        scandir = os.scandir

        def refuse(path: Path) -> object:
            if isinstance(path, Path) and path.name == "closed":
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    told = "left out: 1 folder without permission to read: in/closed/"
    assert told in within("apply", IDENTITY, "in", "-o", "out", *TORCH, code=3).stderr
    assert told in within("data", "check", "in", code=3).stdout
    assert told in within("train", "dcgan", "--data", "in", *NOISE).stdout
    (tmp_path / "in" / "closed").chmod(0o755)


def test_a_pipe_is_reported_and_not_waited_for(within: Command, tmp_path: Path) -> None:
    for number in range(2):
        noise(tmp_path / "photos" / f"{number}.png", 32, 32, seed=number)
    os.mkfifo(tmp_path / "photos" / "pipe.png")
    assert "pipe.png: not a regular file" in within("data", "check", "photos", code=3).stdout


def test_a_camera_raw_file_is_not_taken_for_its_thumbnail(within: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (16, 12)).save(tmp_path / "in" / "a.dng", format="TIFF")
    result = within("apply", IDENTITY, tmp_path / "in" / "a.dng", "-o", "out", *TORCH, code=3)
    assert "camera raw (.dng) is not supported: develop the file to JPEG or TIFF" in result.stderr
    result = within("apply", IDENTITY, "in", "-o", "out", *TORCH, code=3)
    assert "left out: 1 .dng (camera raw: develop it to JPEG or TIFF)" in result.stderr


def test_mixed_files_of_a_phone_and_a_camera(within: Command, real_data: Path, tmp_path: Path) -> None:
    cases = real_data.parent / "cases" / "mixed_suffixes"
    if not cases.is_dir():
        pytest.skip(f"needs {cases}")
    result = within("apply", IDENTITY, cases, "-o", "out", *TORCH, code=3)
    written = all_files(tmp_path / "out")
    assert "13 images written" in result.stdout
    assert {"a.jpe", "c.tga", "e.apng", "f.pbm", "k.MPO", "noextension", "wrong.png"} <= set(written)
    assert not any(name.startswith("._") for name in written)
    assert np.array_equal(read_rgb(cases / "f.pbm"), read_rgb(tmp_path / "out" / "f.pbm"))
    for told in ("1 .heic", "1 .avif", "1 .jxl", "1 .rw2", "1 .mp4 (a video", "1 .npy (an array"):
        assert told in result.stderr


def test_images_in_tar_files_that_cannot_be_decoded_are_counted(within: Command, tmp_path: Path) -> None:
    names = {"1.png": encoded("PNG"), "2.png": encoded("PNG"), "3.HEIC": b"\0\0\0\x18ftypheic", "3.txt": b"a"}
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for name, content in names.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    told = "photos.tar: left out: 1 .heic (cannot be decoded: convert it to JPEG, PNG or TIFF)"
    assert told in within("data", "check", "photos.tar", code=3).stdout.splitlines()
    assert told in within("train", "dcgan", "--data", "photos.tar", *NOISE).stdout.splitlines()
