"""Animations and pages: every frame, in the same container."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.images.making import (
    gamma,
    gray_profile,
    image_of,
    noise,
    planes_of,
    ramps,
    saved,
    smooth,
    through,
)
from translate.errors import DataError
from translate.images import Frame, ImageFile, image_file_to_pil, read, write

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}}
TIMES = [100, 40, 30, 250]


def moving(count: int = 4, channels: int = 3, colors: int = 256) -> list[np.ndarray]:
    """Frames that differ everywhere."""
    return [noise(20, 30, channels, seed) // (256 // colors) for seed in range(count)]


def animation(path: Path, kind: str, frames: list[Image.Image], **settings: Any) -> Path:
    settings = {"duration": TIMES[: len(frames)], "loop": 3, **settings}
    return saved(frames[0], path, format=kind, save_all=True, append_images=frames[1:], **settings)


def check_same(one: ImageFile, other: ImageFile) -> None:
    """What is not to be seen may have any colour."""
    assert len(one.frames) == len(other.frames)
    for number, (first, second) in enumerate(zip(one.frames, other.frames, strict=True)):
        assert (first.alpha is None) == (second.alpha is None)
        if first.alpha is None:
            assert np.array_equal(planes_of(one, number), planes_of(other, number))
        else:
            assert np.array_equal(first.alpha, second.alpha)
            seen = first.alpha > 0
            assert np.array_equal(first.pixels[seen], second.pixels[seen])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_an_animation_keeps_its_frames_its_times_and_its_loop(
    kind: str, channels: int, tmp_path: Path
) -> None:
    planes = moving(channels=channels)
    frames = [image_of(frame) for frame in planes]
    file, again, out = through(animation(tmp_path / "a", kind, frames, **LOSSLESS[kind]))
    check_same(file, again)
    for one in (file, again):
        assert one.format == kind
        assert one.settings["duration"] == TIMES
        assert one.settings["loop"] == 3
        if kind == "PNG":
            assert all(np.array_equal(planes_of(one, n), frame) for n, frame in enumerate(planes))
    with Image.open(out) as image:
        assert image.n_frames == 4


@pytest.mark.parametrize("transparent", [None, 7])
def test_a_gif_keeps_its_frames_its_times_and_its_loop(transparent: int | None, tmp_path: Path) -> None:
    palette = np.random.default_rng(0).integers(0, 256, 768).tolist()
    settings = {} if transparent is None else {"transparency": transparent}
    for disposal in (0, 1, 2):
        frames = []
        for plane in moving(channels=1, colors=32):
            frames.append(image_of(plane).convert("P"))
            frames[-1].putpalette(palette)
            frames[-1].info.update(settings)
        path = animation(tmp_path / "a.gif", "GIF", frames, disposal=disposal, **settings)
        file, again, _ = through(path)
        check_same(file, again)
        assert (file.frames[0].alpha is not None) == (transparent is not None)
        for one in (file, again):
            assert one.settings["duration"] == TIMES
            assert one.settings["loop"] == 3


def test_a_gif_of_gray_keeps_every_level(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    frames = [Frame(pixels=np.ascontiguousarray(turned)[..., None]) for turned in (levels, levels.T)]
    write(ImageFile(format="GIF", frames=frames, mode="L"), tmp_path / "a.gif")
    again = read(tmp_path / "a.gif")
    assert again.mode == "L"
    for number, frame in enumerate(frames):
        assert np.array_equal(planes_of(again, number), frame.pixels)


def test_a_gif_of_many_colours_gets_256_that_are_near(tmp_path: Path) -> None:
    write(ImageFile(format="GIF", frames=[Frame(pixels=smooth())]), tmp_path / "a.gif")
    assert np.abs(read(tmp_path / "a.gif").frames[0].pixels.astype(int) - smooth()).mean() < 8


@pytest.mark.parametrize("loop", [None, 0, 1])
def test_a_gif_plays_as_often_as_before(loop: int | None, tmp_path: Path) -> None:
    frames = [Image.fromarray(plane).quantize(32) for plane in moving()]
    settings = {} if loop is None else {"loop": loop}
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:], **settings)
    for one in through(path)[:2]:
        assert one.settings.get("loop") == loop


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_of_ones_own_need_no_times(kind: str, tmp_path: Path) -> None:
    alphas = [np.where(plane[..., 0] > 99, 255, 0).astype(np.uint8) for plane in moving()]
    frames = [Frame(pixels=smooth(20, 30) // 64 * 64, alpha=alpha) for alpha in alphas]
    file = ImageFile(format=kind, frames=frames, settings={"lossless": True})
    write(file, tmp_path / "a")
    check_same(read(tmp_path / "a"), file)


def test_frames_that_show_through_are_whole(tmp_path: Path) -> None:
    """A small part that changes, over what lies before it."""
    planes = [np.dstack([smooth(), np.full((40, 60), 255, np.uint8)])]
    for step in range(3):
        planes.append(planes[-1].copy())
        planes[-1][step * 9 : step * 9 + 5, 10:30] = (9, 200, 30, 0 if step == 2 else 255)
    frames = [Image.fromarray(plane) for plane in planes]
    file, again, _ = through(animation(tmp_path / "a.png", "PNG", frames))
    check_same(file, again)
    for number, plane in enumerate(planes):
        assert np.array_equal(planes_of(again, number), plane)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_keeps_frames_that_are_like_the_one_before(channels: int, tmp_path: Path) -> None:
    planes = moving(2, channels)
    alphas = [plane[..., 3] if channels == 4 else None for plane in planes]
    first, second = (Frame(pixels=planes[n][..., :3], alpha=alphas[n]) for n in (0, 1))
    frames = [first, first, first, second, second, first]
    times = [50, 60, 70, 80, 90, 100]
    write(ImageFile(format="PNG", frames=frames, settings={"duration": times}), tmp_path / "a.png")
    again = read(tmp_path / "a.png")
    assert again.settings["duration"] == times
    check_same(again, ImageFile(format="PNG", frames=frames))


def test_an_image_for_those_that_know_no_animations_stays_one(tmp_path: Path) -> None:
    frames = [Image.fromarray(plane) for plane in moving()]
    path = animation(tmp_path / "a.png", "PNG", frames, default_image=True, duration=[100, 200, 50])
    file, again, _ = through(path)
    check_same(file, again)
    for one in (file, again):
        assert one.settings["default_image"]
        assert one.settings["duration"][1:] == [100, 200, 50]


def test_thirty_frames_a_second_stay_thirty(tmp_path: Path) -> None:
    frames = [Image.fromarray(plane) for plane in moving()]
    for one in through(animation(tmp_path / "a.png", "PNG", frames, duration=1000 / 30))[:2]:
        assert one.settings["duration"] == pytest.approx([1000 / 30] * 4)


def test_a_lossy_webp_stays_near(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(smooth(), step * 5, axis=1)) for step in range(4)]
    file, again, _ = through(animation(tmp_path / "a.webp", "WEBP", frames))
    assert again.settings == file.settings == {"loop": 3, "duration": TIMES, "lossless": False}
    for number in range(4):
        assert np.abs(planes_of(file, number).astype(int) - planes_of(again, number)).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_goes_into_another_container(kind: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(plane).quantize(32) for plane in moving()]
    file = read(animation(tmp_path / "a.gif", "GIF", frames))
    settings = {name: file.settings[name] for name in ("duration", "loop")}
    write(replace(file, format=kind, settings=settings), tmp_path / "b")
    again = read(tmp_path / "b")
    assert again.format == kind
    assert again.settings["duration"] == TIMES
    assert len(again.frames) == 4


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "PPM"])
def test_frames_that_a_format_cannot_hold_are_refused(kind: str, tmp_path: Path) -> None:
    frames = [Frame(pixels=plane) for plane in moving()]
    with pytest.raises(DataError, match=f"4 frames, of which {kind} holds one: use --format png or webp"):
        write(ImageFile(format=kind, frames=frames), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_pages_keep_their_sizes_their_kinds_and_their_compression(compression: str, tmp_path: Path) -> None:
    planes = [noise(5, 7, 1), noise(9, 4, 3), noise(30, 20, 4), noise(8, 8, 2), noise(9, 4, 3, seed=1)]
    path = animation(tmp_path / "a.tif", "TIFF", [image_of(p) for p in planes], compression=compression)
    file, again, out = through(path)
    for one in (file, again):
        assert [planes_of(one, n).shape for n in range(5)] == [plane.shape for plane in planes]
        assert all(np.array_equal(planes_of(one, n), plane) for n, plane in enumerate(planes))
    with Image.open(out) as image:
        for number in range(5):
            image.seek(number)
            assert image.info["compression"] == compression


def test_pages_of_one_bit_and_of_a_palette_are_read(tmp_path: Path) -> None:
    bits = image_of(noise(8, 16, 1)).convert("1")
    colors = Image.fromarray(smooth()).quantize(16)
    for one in through(animation(tmp_path / "a.tif", "TIFF", [bits, colors, bits]))[:2]:
        assert np.array_equal(planes_of(one, 0)[..., 0], np.asarray(bits.convert("L")))
        assert np.array_equal(planes_of(one, 1), np.asarray(colors.convert("RGB")))


def test_pages_of_jpeg_keep_their_compression_unless_one_has_alpha(tmp_path: Path) -> None:
    pages = [Image.fromarray(smooth()), Image.fromarray(smooth(60, 40))]
    file, again, out = through(animation(tmp_path / "a.tif", "TIFF", pages, compression="jpeg", quality=95))
    with Image.open(out) as image:
        assert image.info["compression"] == "jpeg"
    assert np.abs(planes_of(again, 1).astype(int) - planes_of(file, 1)).mean() < 3
    alpha = replace(file.frames[1], alpha=file.frames[1].pixels[..., 0])
    write(replace(file, frames=[file.frames[0], alpha]), out)
    assert np.array_equal(planes_of(read(out), 1), np.dstack([alpha.pixels, alpha.alpha]))


def test_a_gray_page_does_not_make_the_next_one_gray_nor_lend_its_profile(tmp_path: Path) -> None:
    icc = gray_profile(gamma(1.8))
    pages = [image_of(noise(5, 7, 1)), image_of(noise(9, 4, 3))]
    pages[1].encoderinfo = {"icc_profile": None}
    path = animation(tmp_path / "a.tif", "TIFF", pages, icc_profile=icc)
    file, again, out = through(path)
    assert np.array_equal(planes_of(again, 1), planes_of(file, 1))
    assert again.icc == icc
    with Image.open(out) as image:
        image.seek(1)
        assert 34675 not in image.tag_v2


def test_metadata_is_kept_with_pages(tmp_path: Path) -> None:
    pages = [image_of(noise(5, 7, 1)), image_of(noise(9, 4, 3))]
    path = animation(tmp_path / "a.tif", "TIFF", pages, tiffinfo={0x013B: "A. B."}, dpi=(300, 300))
    _, again, _ = through(path)
    assert len(again.frames) == 2
    assert again.metadata["dpi"] == (300, 300)
    assert b"A. B." in again.metadata["exif"]


def test_of_a_multi_image_jpeg_the_first_is_read_and_written(tmp_path: Path) -> None:
    frames = [Image.fromarray(smooth()), Image.fromarray(smooth()[::2, ::2].copy())]
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:], quality=90)
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    file, again, out = through(tmp_path / "a.jpg")
    for one in (file, again):
        assert one.format == "JPEG"
        assert len(one.frames) == 1
    assert np.abs(planes_of(again).astype(int) - smooth()).mean() < 5
    with Image.open(out) as image:
        assert image.format == "JPEG"
        assert image.size == (60, 40)


def cut_off(kind: str, folder: Path) -> Path:
    frames = [Image.fromarray(plane) for plane in moving()]
    path = animation(folder / "a", kind, frames)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_file_that_is_cut_off_gives_what_can_be_read_and_says_so(kind: str, tmp_path: Path) -> None:
    file = read(cut_off(kind, tmp_path))
    assert 1 <= len(file.frames) < 4
    assert file.damage.startswith(f"only {len(file.frames)} of ")
    assert "\n" not in file.damage
    write(file, tmp_path / "b")
    assert len(read(tmp_path / "b").frames) == len(file.frames)


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_of_which_no_part_can_be_found_it_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refusal:
        read(cut_off(kind, tmp_path))
    assert "\n" not in str(refusal.value)


def test_the_first_of_several_is_an_image(tmp_path: Path) -> None:
    frames = [Image.fromarray(plane) for plane in moving()]
    file = read(animation(tmp_path / "a.png", "PNG", frames))
    assert np.array_equal(np.asarray(image_file_to_pil(file)), moving()[0])


def test_a_deep_first_page_is_an_image_of_8_bits() -> None:
    file = ImageFile(format="TIFF", frames=[Frame(pixels=ramps(3))])
    assert np.array_equal(np.asarray(image_file_to_pil(file)), np.rint(ramps(3) / 257).astype(np.uint8))


def test_an_animation_of_one_frame_is_an_image(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "PNG", save_all=True, duration=100)
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    file, again, _ = through(tmp_path / "a.png")
    check_same(file, again)


def test_real_animations_are_as_they_were(real_data: Path, tmp_path: Path) -> None:
    count = 0
    for path in sorted((real_data / "odd").glob("*.[gp][in][fg]")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        try:
            file, again, _ = through(tmp_path / path.name)
        except DataError:
            continue
        if len(file.frames) > 1:
            count += 1
            assert again.settings["duration"] == file.settings["duration"]
            check_same(file, again)
    assert count > 5
