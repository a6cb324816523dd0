"""Inpainting masks: painted, scanned or cut out, as the hole that they mark in a photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.unit.images.image_samples import (
    ORIENTATION,
    STORED_BY_ORIENTATION,
    array_to_pil,
    color_gradient,
    noise,
    save_image,
    write_16bit_png,
)
from translate.errors import DataError
from translate.images import Frame, Hole, hole_from_mask, read_hole

SIZE = 60, 40  # Width and height of the photo.
MODES_BY_SUFFIX = {
    "bmp": ("1", "L", "P", "RGB", "RGBA"),
    "gif": ("1", "L", "P", "RGB"),
    "png": ("1", "L", "P", "RGB", "LA", "RGBA"),
    "tif": ("1", "L", "P", "RGB", "LA", "RGBA", "CMYK"),
}


def box(top: int = 8, bottom: int = 24, left: int = 16, right: int = 48) -> Hole:
    """Return a (40, 60) hole: a box."""
    hole = np.zeros(SIZE[::-1], bool)
    hole[top:bottom, left:right] = True
    return hole


def paint(
    hole: Hole, color: tuple[int, int, int], background: tuple[int, int, int] = (0, 0, 0)
) -> Image.Image:
    return Image.fromarray(np.where(hole[..., None], color, background).astype(np.uint8))


def paint_layer(hole: Hole, color: tuple[int, int, int]) -> np.ndarray:
    """Return a transparent layer (H, W, 4) with strokes of one colour."""
    return np.dstack([np.where(hole[..., None], color, 0), 255 * hole]).astype(np.uint8)


def read_back(image: Image.Image, tmp_path: Path, name: str = "m.png", **options: object) -> Hole:
    return read_hole(save_image(image, tmp_path / name), SIZE, **options)


# The content of a mask


def test_pixels_nearer_to_white_than_to_black_are_hole(tmp_path: Path) -> None:
    levels = np.pad(np.arange(256, dtype=np.uint8), 400, mode="edge").reshape(1, -1)  # a soft edge
    size = levels.shape[::-1]
    hole = read_hole(save_image(Image.fromarray(levels), tmp_path / "m.png"), size)
    assert np.array_equal(hole, levels >= 128)
    path_16bit = write_16bit_png(tmp_path / "16bit.png", (levels[..., None] * np.uint16(257)))
    assert np.array_equal(read_hole(path_16bit, size), levels >= 128)
    floats = Frame(pixels=(levels[..., None] / np.float32(255)).astype(np.float32))
    assert np.array_equal(hole_from_mask(floats, size), levels >= 128)


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 200, 0), (128, 128, 128)])
def test_strokes_of_any_bright_colour_on_black_are_hole(color: tuple[int, int, int], tmp_path: Path) -> None:
    assert np.array_equal(read_back(paint(box(), color), tmp_path), box())


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 1, np.uint8),
        (0, 100, np.uint8),
        (0, 128, np.uint8),
        (200, 255, np.uint8),
        (0, 1, np.uint16),
        (0, 255, np.uint16),
        (0, 1, np.int32),
        (0, 255, np.int32),
        (0, 1, np.float32),
        (0, 0.3, np.float32),
        (0, 255, np.float32),
        (-1, 1, np.float32),
    ],
)
def test_of_two_values_the_greater_is_hole_whatever_they_are(
    low: float, high: float, dtype: type, tmp_path: Path
) -> None:
    values = np.where(box(), high, low).astype(dtype)
    for suffix in ("png", "tif") if dtype in (np.uint8, np.uint16) else ("tif",):
        image = Image.fromarray(values)
        assert np.array_equal(read_back(image, tmp_path, f"m.{suffix}"), box())


@pytest.mark.parametrize("value", [1, 100, 255])
def test_a_mask_of_16_bits_or_floats_may_have_soft_edges_in_any_range(value: int) -> None:
    soft = cv2.GaussianBlur(np.where(box(), value, 0).astype(np.float32), (0, 0), 1.5)
    for pixels in (soft, (200 * soft).astype(np.uint16)):
        hole = hole_from_mask(Frame(pixels=pixels[..., None]), SIZE)
        assert np.array_equal(hole, pixels >= pixels.max() / 2)


def test_a_large_mask_is_read_as_a_small_one() -> None:
    """Read a mask whose meaning is decided by a part of its pixels, and its hole by all."""
    hole = np.zeros((1500, 2000), bool)
    hole[300:900, 500:1600] = True
    hole[1201, 3] = True
    for low, high in ((0, 1), (0, 100)):
        pixels = np.where(hole, high, low).astype(np.uint8)[..., None]
        assert np.array_equal(hole_from_mask(Frame(pixels=pixels), (2000, 1500)), hole)
    soft = cv2.GaussianBlur(np.where(hole, 255, 0).astype(np.uint8), (0, 0), 1)[..., None]
    different = hole_from_mask(Frame(pixels=soft), (2000, 1500)) != hole
    assert different.sum() <= 5  # the corners, and the single pixel
    classes = np.where(hole, 2, 0).astype(np.uint8)[..., None]
    classes[1000:1400, 200:900] = 1
    with pytest.raises(DataError, match=r"1 \(280000 pixels\)"):
        hole_from_mask(Frame(pixels=classes), (2000, 1500))


@pytest.mark.parametrize("color", [(90, 60, 100), (64, 0, 0), (0, 0, 128)])
def test_strokes_of_a_dark_colour_on_black_are_hole(color: tuple[int, int, int], tmp_path: Path) -> None:
    """As in the images of classes, of which one is painted."""
    assert np.array_equal(read_back(paint(box(), color), tmp_path), box())
    assert np.array_equal(read_back(paint(box(), color).quantize(), tmp_path), box())


def test_strokes_of_a_brush_that_is_not_opaque_are_hole(tmp_path: Path) -> None:
    array = paint_layer(box(), (200, 40, 40))
    array[..., 3] = np.where(box(), 80, 0)
    assert np.array_equal(read_back(Image.fromarray(array), tmp_path), box())


def gray_levels(*levels: int) -> np.ndarray:
    """Return a gray image (40, 60) with stripes of these levels on black."""
    values = np.zeros(SIZE[::-1], np.uint8)
    for number, level in enumerate(levels):
        values[2:38, 3 + 8 * number : 9 + 8 * number] = level
    return values


RED, GREEN, PHOTO = (255, 0, 0), (0, 200, 0), noise(40, 60)
TWO_COLORS = np.where(box(0, 40, 0, 30)[..., None], RED, GREEN) * box()[..., None]
UNCLEAR = {
    "class numbers": (gray_levels(1, 2, 3), ["0 (", "1 (216 pixels)", "3 ("]),
    "classes as grays": (gray_levels(50, 100, 150, 200), ["50 (216 pixels)", "200 ("]),
    "a class and a void border": (gray_levels(15, 255), ["15 (", "255 ("]),
    "strokes of two colours": (TWO_COLORS.astype(np.uint8), ["(255, 0, 0) (", "(0, 200, 0) ("]),
    "red on white": (np.where(box()[..., None], RED, (255,) * 3).astype(np.uint8), ["(255, 0, 0)", "255 ("]),
    "a photo": (color_gradient(), ["other values"]),
    "strokes on a photo": (np.where(box()[..., None], RED, PHOTO).astype(np.uint8), ["(255, 0, 0) (512"]),
    "noise": (noise(40, 60, 1)[..., 0] % 4, ["3 ("]),
    "a layer of two colours": (np.dstack([TWO_COLORS, 255 * box()]).astype(np.uint8), ["(0, 200, 0) ("]),
}


@pytest.mark.parametrize("color", [RED, (0, 160, 0), (0, 0, 255), (255, 255, 0)], ids=str)
def test_strokes_of_a_colour_on_white_are_refused_as_a_jpeg_as_well(
    color: tuple[int, int, int], tmp_path: Path
) -> None:
    pixels = np.where(box()[..., None], color, (255,) * 3).astype(np.uint8)
    with pytest.raises(DataError, match="two values"):
        read_back(Image.fromarray(pixels), tmp_path, "mask.jpg")


@pytest.mark.parametrize(("pixels", "words"), UNCLEAR.values(), ids=UNCLEAR)
def test_a_mask_of_unclear_meaning_is_refused_with_its_values(
    pixels: np.ndarray, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"two values|one colour") as excinfo:
        read_back(Image.fromarray(pixels), tmp_path)
    message = str(excinfo.value)
    assert message.startswith(str(tmp_path / "m.png"))
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_a_palette_of_five_classes_is_refused_with_their_colours(tmp_path: Path) -> None:
    image = Image.fromarray(gray_levels(1, 2, 3, 4)).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128])
    with pytest.raises(DataError, match=r"\(0, 128, 0\) \(216 pixels\)"):
        read_back(image, tmp_path)


@pytest.mark.parametrize("value", [0, 1, 255])
@pytest.mark.parametrize("invert", [False, True])
def test_a_mask_of_one_value_is_refused(value: int, invert: bool, tmp_path: Path) -> None:
    words = "marks nothing" if (value > 0) == invert else "covers the whole image"
    with pytest.raises(DataError, match=rf"{words}.* only {value} \(2400 pixels\).*--invert|{words}.*white"):
        read_back(Image.new("L", SIZE, value), tmp_path, invert=invert)


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 0), (70, 10, 90)])
def test_strokes_on_a_transparent_layer_are_hole_whatever_their_colour(
    color: tuple[int, int, int], tmp_path: Path
) -> None:
    assert np.array_equal(read_back(Image.fromarray(paint_layer(box(), color)), tmp_path), box())


def test_a_soft_edge_is_hole_where_it_is_at_least_half_opaque(tmp_path: Path) -> None:
    array = paint_layer(np.ones(SIZE[::-1], bool), (200, 40, 40))
    array[..., 3] = np.linspace(0, 255, 60).astype(np.uint8)
    hole = read_back(Image.fromarray(array), tmp_path)
    assert np.array_equal(hole, array[..., 3] >= 128)


def test_strokes_on_a_layer_may_vary_a_little_in_colour(tmp_path: Path) -> None:
    array = paint_layer(box(), (120, 30, 30))
    array[..., :3] += noise(40, 60) // 12
    assert np.array_equal(read_back(Image.fromarray(array), tmp_path), box())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_erased_parts_of_a_photo_are_hole(channels: int, tmp_path: Path) -> None:
    photo = np.dstack([color_gradient()[..., :channels], 255 * ~box()]).astype(np.uint8)
    assert np.array_equal(read_back(array_to_pil(photo), tmp_path), box())


def test_an_empty_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"marks nothing.* 2400 transparent pixels"):
        read_back(Image.new("RGBA", SIZE, (255, 255, 255, 0)), tmp_path)


def test_a_fully_opaque_alpha_is_ignored(tmp_path: Path) -> None:
    image = paint(box(), (255, 255, 255)).convert("RGBA")
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize(
    ("suffix", "mode"), [(suffix, mode) for suffix, modes in MODES_BY_SUFFIX.items() for mode in modes]
)
def test_a_mask_may_have_any_mode_and_format(suffix: str, mode: str, tmp_path: Path) -> None:
    image = paint(box(), (255, 255, 255)).convert(mode)
    assert np.array_equal(read_back(image, tmp_path, f"m.{suffix}"), box())


def test_a_palette_may_have_any_colours_in_any_order(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(box(), 0, 7).astype(np.uint8)).convert("P")
    image.putpalette([255, 255, 0, *[0] * 18, 20, 0, 0])
    assert np.array_equal(read_back(image, tmp_path), box())


def test_values_near_black_and_white_count_as_black_and_white(tmp_path: Path) -> None:
    grain = noise(40, 60)[..., 0] // 4
    hole = read_back(Image.fromarray(np.where(box(), 255 - grain, grain).astype(np.uint8)), tmp_path)
    assert np.array_equal(hole, box())


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_jpeg_mask_is_wrong_by_at_most_one_pixel(quality: int, tmp_path: Path) -> None:
    hole = box(11, 27, 13, 50)
    path = save_image(paint(hole, (255, 255, 255)), tmp_path / "m.jpg", quality=quality)
    actual = read_hole(path, SIZE)
    assert actual[12:26, 14:49].all()
    assert not (actual & ~box(10, 28, 12, 51)).any()


@pytest.mark.parametrize("orientation", STORED_BY_ORIENTATION)
def test_the_exif_orientation_of_a_mask_is_applied(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.fromarray(
        np.ascontiguousarray(STORED_BY_ORIENTATION[orientation](255 * box().astype(np.uint8)))
    )
    assert np.array_equal(read_hole(save_image(image, tmp_path / "m.png", exif=exif), SIZE), box())


def test_the_first_of_several_frames_is_the_mask(tmp_path: Path) -> None:
    first, second = paint(box(), (255, 255, 255)), paint(~box(), (255, 255, 255))
    path = save_image(first, tmp_path / "m.tif", save_all=True, append_images=[second])
    assert np.array_equal(read_hole(path, SIZE), box())


# The size of a mask


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_a_larger_mask_of_the_same_aspect_is_resized_to_the_photo(factor: int, tmp_path: Path) -> None:
    image = paint(box(), (255, 255, 255)).resize((60 * factor, 40 * factor), Image.Resampling.NEAREST)
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize("factor", [2, 4])
def test_a_smaller_mask_of_the_same_aspect_is_resized_to_the_photo(factor: int, tmp_path: Path) -> None:
    image = paint(box()[::factor, ::factor], (255, 255, 255))
    assert np.array_equal(read_back(image, tmp_path), box())


@pytest.mark.parametrize("column", range(100, 104))
def test_a_one_pixel_scratch_in_a_larger_mask_is_kept(column: int, tmp_path: Path) -> None:
    large = np.zeros((160, 240), bool)
    large[:, column] = True
    hole = read_back(paint(large, (255, 255, 255)), tmp_path)
    assert np.array_equal(np.flatnonzero(hole.any(axis=0)), [25])
    assert hole[:, 25].all()


def test_a_rounded_side_is_within_the_aspect_tolerance(tmp_path: Path) -> None:
    image = Image.new("L", (128, 255))
    image.paste(255, (20, 30, 60, 90))
    hole = read_hole(save_image(image, tmp_path / "m.png"), (257, 511))
    assert 0.07 < hole.mean() < 0.08


@pytest.mark.parametrize("size", [(40, 60), (60, 41), (62, 40), (1, 1), (120, 40)])
def test_another_aspect_is_refused_naming_the_file_and_both_sizes(
    size: tuple[int, int], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as excinfo:
        read_back(Image.new("L", size), tmp_path)
    width, height = size
    assert str(excinfo.value).startswith(
        f"{tmp_path / 'm.png'}: the mask is {width}x{height} and the image 60x40, "
    )


def test_a_mask_drawn_on_the_stored_photo_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"40x60 .* 60x40, width and height swapped: turn the mask"):
        read_back(Image.fromarray(255 * box().T.astype(np.uint8)), tmp_path)


def test_an_unreadable_mask_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for name, reason in (("none.png", "No such file or directory"), ("text.png", "not an image of a known")):
        with pytest.raises(DataError) as excinfo:
            read_hole(tmp_path / name, SIZE)
        assert str(excinfo.value).startswith(f"{tmp_path / name}: {reason}")


# The options `invert` and `dilate`


def test_invert_fills_all_but_the_marked_pixels(tmp_path: Path) -> None:
    assert np.array_equal(read_back(paint(box(), (255, 255, 255)), tmp_path, invert=True), ~box())
    assert np.array_equal(
        read_back(Image.fromarray(paint_layer(box(), (9, 9, 9))), tmp_path, invert=True), ~box()
    )


@pytest.mark.parametrize("pixels", [1, 2, 3, 7, 10])
def test_dilate_enlarges_the_hole_by_a_disk(pixels: int, tmp_path: Path) -> None:
    hole = read_back(paint(box(15, 20, 20, 30), (255, 255, 255)), tmp_path, dilate=pixels)
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


def test_a_hole_at_the_border_is_dilated_inwards(tmp_path: Path) -> None:
    hole = read_back(paint(box(0, 40, 0, 5), (255, 255, 255)), tmp_path, dilate=4)
    assert np.array_equal(hole, box(0, 40, 0, 9))


def test_an_inverted_hole_is_dilated_after_inversion(tmp_path: Path) -> None:
    hole = read_back(paint(box(10, 30, 20, 50), (255, 255, 255)), tmp_path, invert=True, dilate=3)
    assert np.array_equal(hole, ~box(13, 27, 23, 47))


def test_a_smaller_mask_is_dilated_in_pixels_of_the_photo(tmp_path: Path) -> None:
    small = np.zeros((10, 15), bool)
    small[5, 5:10] = True
    hole = read_back(paint(small, (255, 255, 255)), tmp_path, dilate=2)
    assert np.array_equal(hole.any(axis=1).nonzero()[0], np.arange(18, 26))


def test_a_smaller_mask_covers_a_stroke_with_gray_edges(tmp_path: Path) -> None:
    stroke = np.zeros((40, 60), np.uint8)
    cv2.line(stroke, (3, 5), (55, 36), 255, 2)
    small = Image.fromarray(stroke).resize((30, 20), Image.Resampling.BOX)
    hole = read_back(small, tmp_path)
    assert hole[stroke > 0].mean() > 0.98
    assert hole.sum() < 3 * (stroke > 0).sum()
