"""Animations and TIFF pages: every frame is read, and written in the same format."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.images.image_samples import (
    array_to_pil,
    color_gradient,
    frame_array,
    gamma_curve,
    gray_profile,
    noise,
    ramps_16bit,
    round_trip,
    save_image,
)
from translate.errors import DataError
from translate.images import Frame, ImageFile, image_file_to_pil, read, write

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}}
DURATIONS = [100, 40, 30, 250]


def random_frames(count: int = 4, channels: int = 3, levels: int = 256) -> list[np.ndarray]:
    """Return (20, 30, C) images of different noise, with so many levels in each channel."""
    return [noise(20, 30, channels, seed) // (256 // levels) for seed in range(count)]


def save_animation(path: Path, image_format: str, frames: list[Image.Image], **options: Any) -> Path:
    options = {"duration": DURATIONS[: len(frames)], "loop": 3, **options}
    return save_image(
        frames[0], path, format=image_format, save_all=True, append_images=frames[1:], **options
    )


def check_same(actual: ImageFile, expected: ImageFile) -> None:
    """Assert that two files have the same frames; transparent pixels may have any colour."""
    assert len(actual.frames) == len(expected.frames)
    for frame, expected_frame in zip(actual.frames, expected.frames, strict=True):
        assert (frame.alpha is None) == (expected_frame.alpha is None)
        assert frame.pixels.shape == expected_frame.pixels.shape
        visible = np.ones(frame.pixels.shape[:2], bool)
        if frame.alpha is not None:
            assert np.array_equal(frame.alpha, expected_frame.alpha)
            visible = frame.alpha > 0
        assert np.array_equal(frame.pixels[visible], expected_frame.pixels[visible])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("image_format", LOSSLESS)
def test_an_animation_keeps_its_frames_durations_and_loops(
    image_format: str, channels: int, tmp_path: Path
) -> None:
    arrays = random_frames(channels=channels)
    frames = [array_to_pil(frame) for frame in arrays]
    file, copy, out = round_trip(
        save_animation(tmp_path / "a", image_format, frames, **LOSSLESS[image_format])
    )
    check_same(file, copy)
    for result in (file, copy):
        assert result.format == image_format
        assert result.encoder_settings["duration"] == DURATIONS
        assert result.encoder_settings["loop"] == 3
        if image_format == "PNG":
            assert all(np.array_equal(frame_array(result, n), frame) for n, frame in enumerate(arrays))
    with Image.open(out) as image:
        assert image.n_frames == 4


@pytest.mark.parametrize("transparent", [None, 7])
def test_a_gif_keeps_its_frames_durations_and_loops(transparent: int | None, tmp_path: Path) -> None:
    palette = np.random.default_rng(0).integers(0, 256, 768).tolist()
    options = {} if transparent is None else {"transparency": transparent}
    for disposal in (0, 1, 2):
        frames = []
        for array in random_frames(channels=1, levels=32):
            frames.append(array_to_pil(array).convert("P"))
            frames[-1].putpalette(palette)
            frames[-1].info.update(options)
        path = save_animation(tmp_path / "a.gif", "GIF", frames, disposal=disposal, **options)
        file, copy, _ = round_trip(path)
        check_same(file, copy)
        assert (file.frames[0].alpha is not None) == (transparent is not None)
        for result in (file, copy):
            assert result.encoder_settings["duration"] == DURATIONS
            assert result.encoder_settings["loop"] == 3


def test_a_gray_gif_keeps_all_256_levels(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    frames = [Frame(pixels=np.ascontiguousarray(turned)[..., None]) for turned in (levels, levels.T)]
    write(ImageFile(format="GIF", frames=frames, mode="L"), tmp_path / "a.gif")
    copy = read(tmp_path / "a.gif")
    assert copy.mode == "L"
    for number, frame in enumerate(frames):
        assert np.array_equal(frame_array(copy, number), frame.pixels)


def test_a_gif_of_many_colours_is_reduced_to_a_palette_of_256(tmp_path: Path) -> None:
    write(ImageFile(format="GIF", frames=[Frame(pixels=color_gradient())]), tmp_path / "a.gif")
    assert np.abs(read(tmp_path / "a.gif").frames[0].pixels.astype(int) - color_gradient()).mean() < 8


@pytest.mark.parametrize("loop", [None, 0, 1])
def test_a_gif_keeps_its_number_of_loops(loop: int | None, tmp_path: Path) -> None:
    frames = [Image.fromarray(array).quantize(32) for array in random_frames()]
    options = {} if loop is None else {"loop": loop}
    path = save_image(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:], **options)
    for result in round_trip(path)[:2]:
        assert result.encoder_settings.get("loop") == loop


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_without_durations_can_be_written(image_format: str, tmp_path: Path) -> None:
    alphas = [np.where(array[..., 0] > 99, 255, 0).astype(np.uint8) for array in random_frames()]
    frames = [Frame(pixels=color_gradient(20, 30) // 64 * 64, alpha=alpha) for alpha in alphas]
    file = ImageFile(format=image_format, frames=frames, encoder_settings={"lossless": True})
    write(file, tmp_path / "a")
    check_same(read(tmp_path / "a"), file)


def test_partial_frames_are_read_and_written_as_full_frames(tmp_path: Path) -> None:
    """Pillow stores only the part of a frame that changed."""
    arrays = [np.dstack([color_gradient(), np.full((40, 60), 255, np.uint8)])]
    for step in range(3):
        arrays.append(arrays[-1].copy())
        arrays[-1][step * 9 : step * 9 + 5, 10:30] = (9, 200, 30, 0 if step == 2 else 255)
    frames = [Image.fromarray(array) for array in arrays]
    file, copy, _ = round_trip(save_animation(tmp_path / "a.png", "PNG", frames))
    check_same(file, copy)
    for number, array in enumerate(arrays):
        assert np.array_equal(frame_array(copy, number), array)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_keeps_frames_that_equal_the_frame_before(channels: int, tmp_path: Path) -> None:
    arrays = random_frames(2, channels)
    alphas = [array[..., 3] if channels == 4 else None for array in arrays]
    first, second = (Frame(pixels=arrays[n][..., :3], alpha=alphas[n]) for n in (0, 1))
    frames = [first, first, first, second, second, first]
    durations = [50, 60, 70, 80, 90, 100]
    write(
        ImageFile(format="PNG", frames=frames, encoder_settings={"duration": durations}), tmp_path / "a.png"
    )
    copy = read(tmp_path / "a.png")
    assert copy.encoder_settings["duration"] == durations
    check_same(copy, ImageFile(format="PNG", frames=frames))


def test_a_png_keeps_its_default_image(tmp_path: Path) -> None:
    frames = [Image.fromarray(array) for array in random_frames()]
    path = save_animation(tmp_path / "a.png", "PNG", frames, default_image=True, duration=[100, 200, 50])
    file, copy, _ = round_trip(path)
    check_same(file, copy)
    for result in (file, copy):
        assert result.encoder_settings["default_image"]
        assert result.encoder_settings["duration"][1:] == [100, 200, 50]


def test_a_fractional_duration_is_kept(tmp_path: Path) -> None:
    frames = [Image.fromarray(array) for array in random_frames()]
    for result in round_trip(save_animation(tmp_path / "a.png", "PNG", frames, duration=1000 / 30))[:2]:
        assert result.encoder_settings["duration"] == pytest.approx([1000 / 30] * 4)


def test_a_lossy_animated_webp_stays_close(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(color_gradient(), step * 5, axis=1)) for step in range(4)]
    file, copy, _ = round_trip(save_animation(tmp_path / "a.webp", "WEBP", frames))
    assert (
        copy.encoder_settings
        == file.encoder_settings
        == {"loop": 3, "duration": DURATIONS, "lossless": False}
    )
    for number in range(4):
        assert np.abs(frame_array(file, number).astype(int) - frame_array(copy, number)).mean() < 3


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_an_animation_can_be_written_in_another_format(image_format: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(array).quantize(32) for array in random_frames()]
    file = read(save_animation(tmp_path / "a.gif", "GIF", frames))
    settings = {name: file.encoder_settings[name] for name in ("duration", "loop")}
    write(replace(file, format=image_format, encoder_settings=settings), tmp_path / "b")
    copy = read(tmp_path / "b")
    assert copy.format == image_format
    assert copy.encoder_settings["duration"] == DURATIONS
    assert len(copy.frames) == 4


@pytest.mark.parametrize("image_format", ["JPEG", "BMP", "PPM"])
def test_a_format_that_holds_one_frame_refuses_more(image_format: str, tmp_path: Path) -> None:
    frames = [Frame(pixels=array) for array in random_frames()]
    with pytest.raises(DataError, match=f"{image_format} holds one frame, .* 4: use --format png or webp"):
        write(ImageFile(format=image_format, frames=frames), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_pages_keep_their_sizes_modes_and_compression(compression: str, tmp_path: Path) -> None:
    arrays = [noise(5, 7, 1), noise(9, 4, 3), noise(30, 20, 4), noise(8, 8, 2), noise(9, 4, 3, seed=1)]
    path = save_animation(
        tmp_path / "a.tif", "TIFF", [array_to_pil(p) for p in arrays], compression=compression
    )
    file, copy, out = round_trip(path)
    for result in (file, copy):
        assert [frame_array(result, n).shape for n in range(5)] == [array.shape for array in arrays]
        assert all(np.array_equal(frame_array(result, n), array) for n, array in enumerate(arrays))
    with Image.open(out) as image:
        for number in range(5):
            image.seek(number)
            assert image.info["compression"] == compression


def test_tiff_pages_of_one_bit_and_with_a_palette_are_read(tmp_path: Path) -> None:
    bits = array_to_pil(noise(8, 16, 1)).convert("1")
    colors = Image.fromarray(color_gradient()).quantize(16)
    for result in round_trip(save_animation(tmp_path / "a.tif", "TIFF", [bits, colors, bits]))[:2]:
        assert np.array_equal(frame_array(result, 0)[..., 0], np.asarray(bits.convert("L")))
        assert np.array_equal(frame_array(result, 1), np.asarray(colors.convert("RGB")))


def test_jpeg_compressed_tiff_pages_stay_so_unless_one_has_alpha(tmp_path: Path) -> None:
    pages = [Image.fromarray(color_gradient()), Image.fromarray(color_gradient(60, 40))]
    file, copy, out = round_trip(
        save_animation(tmp_path / "a.tif", "TIFF", pages, compression="jpeg", quality=95)
    )
    with Image.open(out) as image:
        assert image.info["compression"] == "jpeg"
    assert np.abs(frame_array(copy, 1).astype(int) - frame_array(file, 1)).mean() < 3
    alpha = replace(file.frames[1], alpha=file.frames[1].pixels[..., 0])
    write(replace(file, frames=[file.frames[0], alpha]), out)
    assert np.array_equal(frame_array(read(out), 1), np.dstack([alpha.pixels, alpha.alpha]))


def test_the_mode_and_profile_of_a_gray_page_do_not_apply_to_the_next_page(tmp_path: Path) -> None:
    icc = gray_profile(gamma_curve(1.8))
    pages = [array_to_pil(noise(5, 7, 1)), array_to_pil(noise(9, 4, 3))]
    pages[1].encoderinfo = {"icc_profile": None}
    path = save_animation(tmp_path / "a.tif", "TIFF", pages, icc_profile=icc)
    file, copy, out = round_trip(path)
    assert np.array_equal(frame_array(copy, 1), frame_array(file, 1))
    assert copy.icc == icc
    with Image.open(out) as image:
        image.seek(1)
        assert 34675 not in image.tag_v2


def test_metadata_of_a_tiff_with_several_pages_is_kept(tmp_path: Path) -> None:
    pages = [array_to_pil(noise(5, 7, 1)), array_to_pil(noise(9, 4, 3))]
    path = save_animation(tmp_path / "a.tif", "TIFF", pages, tiffinfo={0x013B: "A. B."}, dpi=(300, 300))
    _, copy, _ = round_trip(path)
    assert len(copy.frames) == 2
    assert copy.metadata["dpi"] == (300, 300)
    assert b"A. B." in copy.metadata["exif"]


def test_the_first_image_of_an_mpo_is_read_and_written_as_a_jpeg(tmp_path: Path) -> None:
    frames = [Image.fromarray(color_gradient()), Image.fromarray(color_gradient()[::2, ::2].copy())]
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:], quality=90)
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    file, copy, out = round_trip(tmp_path / "a.jpg")
    for result in (file, copy):
        assert result.format == "JPEG"
        assert len(result.frames) == 1
    assert np.abs(frame_array(copy).astype(int) - color_gradient()).mean() < 5
    with Image.open(out) as image:
        assert image.format == "JPEG"
        assert image.size == (60, 40)


def save_truncated(image_format: str, folder: Path) -> Path:
    frames = [Image.fromarray(array) for array in random_frames()]
    path = save_animation(folder / "a", image_format, frames)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


@pytest.mark.parametrize("image_format", ["GIF", "PNG"])
def test_a_truncated_animation_yields_its_readable_frames_and_reports_the_damage(
    image_format: str, tmp_path: Path
) -> None:
    file = read(save_truncated(image_format, tmp_path))
    assert 1 <= len(file.frames) < 4
    assert file.damage.startswith(f"only {len(file.frames)} of ")
    assert "\n" not in file.damage
    write(file, tmp_path / "b")
    assert len(read(tmp_path / "b").frames) == len(file.frames)


@pytest.mark.parametrize("image_format", ["TIFF", "WEBP"])
def test_a_truncated_file_without_a_readable_frame_is_refused(image_format: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as excinfo:
        read(save_truncated(image_format, tmp_path))
    assert "\n" not in str(excinfo.value)


def test_the_first_frame_is_converted_to_a_pil_image(tmp_path: Path) -> None:
    frames = [Image.fromarray(array) for array in random_frames()]
    file = read(save_animation(tmp_path / "a.png", "PNG", frames))
    assert np.array_equal(np.asarray(image_file_to_pil(file)), random_frames()[0])


def test_a_16bit_first_page_becomes_an_8bit_pil_image() -> None:
    file = ImageFile(format="TIFF", frames=[Frame(pixels=ramps_16bit(3))])
    assert np.array_equal(np.asarray(image_file_to_pil(file)), np.rint(ramps_16bit(3) / 257).astype(np.uint8))


def test_an_animation_of_one_frame_is_a_plain_image(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "PNG", save_all=True, duration=100)
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    file, copy, _ = round_trip(tmp_path / "a.png")
    check_same(file, copy)


def test_real_animations_are_unchanged(real_data: Path, tmp_path: Path) -> None:
    count = 0
    for path in sorted((real_data / "odd").glob("*.[gp][in][fg]")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        try:
            file, copy, _ = round_trip(tmp_path / path.name)
        except DataError:
            continue
        if len(file.frames) > 1:
            count += 1
            assert copy.encoder_settings["duration"] == file.encoder_settings["duration"]
            check_same(file, copy)
    assert count > 5
