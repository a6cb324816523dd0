"""Whatever a person paints, scans or cuts out: which pixels of the photo it means."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.unit.images.making import ORIENTATION, STORED, deep_png, image_of, noise, saved, smooth
from translate.errors import DataError
from translate.images import Frame, Hole, hole_from_mask, read_hole

SIZE = 60, 40  # width and height of the photo
KINDS = {
    "bmp": ("1", "L", "P", "RGB", "RGBA"),
    "gif": ("1", "L", "P", "RGB"),
    "png": ("1", "L", "P", "RGB", "LA", "RGBA"),
    "tif": ("1", "L", "P", "RGB", "LA", "RGBA", "CMYK"),
}


def box(top: int = 8, bottom: int = 24, left: int = 16, right: int = 48) -> Hole:
    """(40, 60), true in a box."""
    hole = np.zeros(SIZE[::-1], bool)
    hole[top:bottom, left:right] = True
    return hole


def painted(hole: Hole, color: tuple[int, int, int], ground: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    return Image.fromarray(np.where(hole[..., None], color, ground).astype(np.uint8))


def layer(hole: Hole, color: tuple[int, int, int]) -> np.ndarray:
    """Strokes of a colour on a transparent layer, (H, W, 4)."""
    return np.dstack([np.where(hole[..., None], color, 0), 255 * hole]).astype(np.uint8)


def read_back(image: Image.Image, tmp_path: Path, name: str = "m.png", **options: object) -> Hole:
    return read_hole(saved(image, tmp_path / name), SIZE, **options)


# What is shown


def test_what_is_nearer_to_white_than_to_black_is_hole(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256)
    hole = read_hole(saved(Image.fromarray(levels), tmp_path / "m.png"), (256, 1))
    assert np.array_equal(hole, levels >= 128)
    deep = deep_png(tmp_path / "deep.png", (levels[..., None] * np.uint16(257)))
    assert np.array_equal(read_hole(deep, (256, 1)), levels >= 128)
    floats = Frame(pixels=(levels[..., None] / np.float32(255)).astype(np.float32))
    assert np.array_equal(hole_from_mask(floats, (256, 1)), levels >= 128)


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 200, 0), (128, 128, 128)])
def test_strokes_of_any_bright_colour_on_black_are_hole(color: tuple[int, int, int], tmp_path: Path) -> None:
    assert np.array_equal(read_back(painted(box(), color), tmp_path), box())


def test_dark_colours_are_no_hole(tmp_path: Path) -> None:
    assert not read_back(painted(box(), (90, 60, 100), (10, 10, 10)), tmp_path).any()


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 0), (70, 10, 90)])
def test_strokes_on_a_transparent_layer_are_hole_whatever_their_colour(
    color: tuple[int, int, int], tmp_path: Path
) -> None:
    assert np.array_equal(read_back(Image.fromarray(layer(box(), color)), tmp_path), box())


def test_a_stroke_whose_edge_is_soft_is_hole_from_its_half_on(tmp_path: Path) -> None:
    planes = layer(np.ones(SIZE[::-1], bool), (200, 40, 40))
    planes[..., 3] = np.linspace(0, 255, 60).astype(np.uint8)
    hole = read_back(Image.fromarray(planes), tmp_path)
    assert np.array_equal(hole, planes[..., 3] >= 128)


def test_a_stroke_may_vary_a_little_in_colour(tmp_path: Path) -> None:
    planes = layer(box(), (120, 30, 30))
    planes[..., :3] += noise(40, 60) // 12
    assert np.array_equal(read_back(Image.fromarray(planes), tmp_path), box())


@pytest.mark.parametrize("channels", [1, 3])
def test_of_a_photo_with_erased_parts_those_are_hole(channels: int, tmp_path: Path) -> None:
    photo = np.dstack([smooth()[..., :channels], 255 * ~box()]).astype(np.uint8)
    assert np.array_equal(read_back(image_of(photo), tmp_path), box())


def test_an_empty_layer_is_no_hole(tmp_path: Path) -> None:
    assert not read_back(Image.new("RGBA", SIZE, (255, 255, 255, 0)), tmp_path).any()


def test_an_opaque_layer_counts_for_nothing(tmp_path: Path) -> None:
    image = painted(box(), (255, 255, 255)).convert("RGBA")
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix, modes in KINDS.items() for mode in modes]
)
def test_a_mask_of_any_mode_and_format_will_do(suffix: str, mode: str, tmp_path: Path) -> None:
    image = painted(box(), (255, 255, 255)).convert(mode)
    assert np.array_equal(read_back(image, tmp_path, f"m.{suffix}"), box())


def test_a_palette_may_have_any_colours_in_any_order(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(box(), 0, 7).astype(np.uint8)).convert("P")
    image.putpalette([255, 255, 0, *[0] * 18, 20, 0, 0])
    assert np.array_equal(read_back(image, tmp_path), box())


def test_values_near_black_and_white_count_as_these(tmp_path: Path) -> None:
    grain = noise(40, 60)[..., 0] // 4
    hole = read_back(Image.fromarray(np.where(box(), 255 - grain, grain).astype(np.uint8)), tmp_path)
    assert np.array_equal(hole, box())


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_jpeg_is_out_by_a_pixel_at_most(quality: int, tmp_path: Path) -> None:
    hole = box(11, 27, 13, 50)
    path = saved(painted(hole, (255, 255, 255)), tmp_path / "m.jpg", quality=quality)
    found = read_hole(path, SIZE)
    assert found[12:26, 14:49].all()
    assert not (found & ~box(10, 28, 12, 51)).any()


@pytest.mark.parametrize("flag", STORED)
def test_a_mask_that_a_camera_turned_is_turned_back(flag: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = flag
    image = Image.fromarray(np.ascontiguousarray(STORED[flag](255 * box().astype(np.uint8))))
    assert np.array_equal(read_hole(saved(image, tmp_path / "m.png", exif=exif), SIZE), box())


def test_of_several_frames_the_first_counts(tmp_path: Path) -> None:
    first, second = painted(box(), (255, 255, 255)), painted(~box(), (255, 255, 255))
    path = saved(first, tmp_path / "m.tif", save_all=True, append_images=[second])
    assert np.array_equal(read_hole(path, SIZE), box())


# Its size


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_larger_mask_of_the_same_aspect_is_brought_to_the_photo(factor: int, tmp_path: Path) -> None:
    image = painted(box(), (255, 255, 255)).resize((60 * factor, 40 * factor), Image.Resampling.NEAREST)
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize("factor", [2, 4])
def test_a_smaller_mask_of_the_same_aspect_is_brought_to_the_photo(factor: int, tmp_path: Path) -> None:
    image = painted(box()[::factor, ::factor], (255, 255, 255))
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize("column", range(100, 104))
def test_a_scratch_in_a_larger_mask_is_not_lost(column: int, tmp_path: Path) -> None:
    large = np.zeros((160, 240), bool)
    large[:, column] = True
    hole = read_back(painted(large, (255, 255, 255)), tmp_path)
    assert np.array_equal(np.flatnonzero(hole.any(axis=0)), [25])
    assert hole[:, 25].all()


def test_a_side_that_was_rounded_is_no_other_aspect(tmp_path: Path) -> None:
    image = Image.new("L", (128, 255), 255)
    assert read_hole(saved(image, tmp_path / "m.png"), (257, 511)).all()


@pytest.mark.parametrize("size", [(40, 60), (60, 41), (62, 40), (1, 1), (120, 40)])
def test_another_aspect_is_refused_with_both_sizes_and_the_files_name(
    size: tuple[int, int], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as refusal:
        read_back(Image.new("L", size), tmp_path)
    width, height = size
    assert str(refusal.value) == (
        f"{tmp_path / 'm.png'}: a mask of {width}x{height} for an image of 60x40: give it the image's size"
    )


def test_a_mask_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for name, reason in (("none.png", "No such file or directory"), ("text.png", "not an image of a known")):
        with pytest.raises(DataError) as refusal:
            read_hole(tmp_path / name, SIZE)
        assert str(refusal.value).startswith(f"{tmp_path / name}: {reason}")


# What is asked for beside it


def test_inverted_what_is_shown_is_kept(tmp_path: Path) -> None:
    assert np.array_equal(read_back(painted(box(), (255, 255, 255)), tmp_path, invert=True), ~box())
    assert np.array_equal(read_back(Image.fromarray(layer(box(), (9, 9, 9))), tmp_path, invert=True), ~box())


@pytest.mark.parametrize("pixels", [1, 2, 3, 7, 10])
def test_a_hole_grows_by_so_many_pixels_on_every_side_and_not_into_corners(
    pixels: int, tmp_path: Path
) -> None:
    hole = read_back(painted(box(15, 20, 20, 30), (255, 255, 255)), tmp_path, dilate=pixels)
    rows, columns = hole.any(axis=1).nonzero()[0], hole.any(axis=0).nonzero()[0]
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (
        15 - pixels,
        20 + pixels,
        20 - pixels,
        30 + pixels,
    )
    assert hole[15 - pixels, 20:30].all()
    assert not hole[15 - pixels, 20 - pixels]
    assert np.array_equal(hole[15:20, 20 - pixels : 30 + pixels], np.ones((5, 10 + 2 * pixels), bool))


def test_a_hole_at_the_border_grows_inwards(tmp_path: Path) -> None:
    hole = read_back(painted(box(0, 40, 0, 5), (255, 255, 255)), tmp_path, dilate=4)
    assert np.array_equal(hole, box(0, 40, 0, 9))


def test_what_is_inverted_grows_too(tmp_path: Path) -> None:
    hole = read_back(painted(box(10, 30, 20, 50), (255, 255, 255)), tmp_path, invert=True, dilate=3)
    assert np.array_equal(hole, ~box(13, 27, 23, 47))


def test_a_smaller_mask_grows_by_pixels_of_the_photo(tmp_path: Path) -> None:
    small = np.zeros((10, 15), bool)
    small[5, 5:10] = True
    hole = read_back(painted(small, (255, 255, 255)), tmp_path, dilate=2)
    assert np.array_equal(hole.any(axis=1).nonzero()[0], np.arange(18, 26))


def test_a_smaller_mask_covers_a_stroke_whose_edges_are_gray(tmp_path: Path) -> None:
    stroke = np.zeros((40, 60), np.uint8)
    cv2.line(stroke, (3, 5), (55, 36), 255, 2)
    small = Image.fromarray(stroke).resize((30, 20), Image.Resampling.BOX)
    hole = read_back(small, tmp_path)
    assert hole[stroke > 0].mean() > 0.98
    assert hole.sum() < 3 * (stroke > 0).sum()
