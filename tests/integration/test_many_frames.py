"""Files of many frames: they are translated frame by frame, in little memory, with the same result."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.integration.conftest import Command
from tests.integration.test_apply import IDENTITY, TORCH, all_files
from translate.images import read
from translate.inference.batch import frame_by_frame


def write_pages(path: Path, count: int, side: int) -> None:
    """Write a file of frames, in the kind that its name says."""
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    if path.stem == "deep":
        with tifffile.TiffWriter(path) as tiff:
            for _ in range(count):
                tiff.write(rng.integers(0, 65536, (side, side, 3), dtype=np.uint16), photometric="rgb")
        return
    if path.stem == "fax":
        pages = [Image.fromarray(rng.random((side, side)) > n / count) for n in range(count)]
        options = {"compression": "group4"}
    else:
        levels = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
        pages = [Image.fromarray(level).resize((side, side)) for level in levels]
        options = {"duration": list(range(20, 20 + 10 * count, 10))}
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)


@pytest.mark.parametrize("name", ["fax.tif", "deep.tif", "moving.webp"])
def test_only_a_few_frames_are_in_memory(name: str, within: Command, tmp_path: Path) -> None:
    side, count = 480, 24
    write_pages(tmp_path / "in" / name, count, side)
    within("apply", IDENTITY, "in", "-o", "warm", "--max-megapixels", "0.1", *TORCH, code=3)
    tracemalloc.start()
    try:
        within("apply", IDENTITY, "in", "-o", "out", *TORCH)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    before, after = read(tmp_path / "in" / name), read(tmp_path / "out" / name)
    assert len(after.frames) == count
    if name.endswith(".tif"):
        for source, target in zip(before.frames, after.frames, strict=True):
            assert np.array_equal(source.rgb(), target.rgb())
    assert peak < 0.75 * count * before.frames[0].rgb().nbytes  # less than the decoded frames, or the outputs


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fax.tif", ()),
        ("deep.tif", ()),
        ("moving.gif", ()),
        ("moving.png", ()),
        ("moving.webp", ()),
        ("moving.gif", ("--format", "webp")),
        ("moving.webp", ("--format", "png")),
    ],
)
def test_frame_by_frame_gives_the_same_file(
    name: str, options: tuple[str, ...], within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pages(tmp_path / "in" / name, 5, 24)
    within("apply", IDENTITY, "in", "-o", "whole", *options, *TORCH)
    monkeypatch.setattr(frame_by_frame, "MAX_PIXELS_IN_MEMORY", 0)
    within("apply", IDENTITY, "in", "-o", "frames", *options, *TORCH)
    (written,) = all_files(tmp_path / "frames")
    assert (tmp_path / "whole" / written).read_bytes() == (tmp_path / "frames" / written).read_bytes()
    again = within("apply", IDENTITY, "in", "-o", "frames", *options, *TORCH)
    assert "1 done before" in again.stdout


def test_pages_of_several_sizes_and_modes_stay_as_they_are(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_by_frame, "MAX_PIXELS_IN_MEMORY", 0)
    rng = np.random.default_rng(0)
    shapes = ((20, 30, 3), (20, 30, 3), (9, 40, 4), (25, 7, 3))
    pages = [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    within("apply", IDENTITY, "in", "-o", "out", "--report", "report.json", *TORCH)
    before, after = read(tmp_path / "in" / "a.tif"), read(tmp_path / "out" / "a.tif")
    for source, target in zip(before.frames, after.frames, strict=True):
        assert np.array_equal(source.pixels, target.pixels)
        assert (source.alpha is None) == (target.alpha is None)
    assert '"size": [\n   30,\n   20\n  ]' in (tmp_path / "report.json").read_text()


@pytest.mark.parametrize("name", ["moving.gif", "moving.png"])
def test_a_truncated_animation_keeps_its_readable_frames_and_is_noted(
    name: str, within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_by_frame, "MAX_PIXELS_IN_MEMORY", 0)
    path = tmp_path / "in" / name
    write_pages(path, 8, 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    count = len(read(path).frames)
    assert 1 < count < 8
    result = within("apply", IDENTITY, "in", "-o", "out", *TORCH)
    assert f"note: in/{name}: only {count} of " in result.stderr
    assert len(read(tmp_path / "out" / name).frames) == count


def test_a_file_that_fails_in_the_middle_leaves_nothing_behind(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_by_frame, "MAX_PIXELS_IN_MEMORY", 0)
    write_pages(tmp_path / "in" / "deep.tif", 4, 50)
    path = tmp_path / "in" / "deep.tif"
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:  # The third page ends beyond the end of the file.
        offset = tiff.pages[2].tags["StripOffsets"].valueoffset
    content[offset : offset + 4] = (len(content) - 10).to_bytes(4, "little")
    path.write_bytes(content)
    write_pages(tmp_path / "in" / "fax.tif", 3, 50)
    result = within("apply", IDENTITY, "in", "-o", "out", *TORCH, code=3)
    assert result.stderr.count("failed: ") == 1
    assert "failed: in/deep.tif: " in result.stderr
    assert all_files(tmp_path / "out") == ["fax.tif"]
    refused = within("apply", IDENTITY, "in", "-o", "jpg", "--format", "jpg", *TORCH, code=3)
    assert "in/fax.tif: 3 pages, which JPEG cannot hold: use --format keep" in refused.stderr
