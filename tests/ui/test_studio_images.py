"""The tabs Translate, Repair and Colour: the downloads are the files that the commands write."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Page, expect

from tests.integration.conftest import Command
from tests.ui.studio import Studio, StudioPage
from translate.images import read


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Write images of several kinds, and files that are none, to tmp_path/images."""
    folder = tmp_path / "images"
    folder.mkdir()
    y, x = np.mgrid[:60, :80]
    gray = ((x * 3 + y) % 256).astype(np.uint8)
    rgb = np.stack([gray, gray[::-1], gray[:, ::-1]], axis=-1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(rgb).save(folder / "it's #1 (2).JPG", "JPEG", icc_profile=profile)
    Image.fromarray(np.dstack([rgb, gray])).save(folder / "transparent.png")
    Image.fromarray(gray.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(rgb).save(folder / "photo.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder


def test_the_download_of_many_files_holds_those_of_translate_apply(
    page: Page, studio: Studio, images: Path, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.upload(sorted(images.iterdir()), "Images")
    studio_page.choose_model("runs/cyclegan", "cyclegan, AtoB")
    studio_page.panel.get_by_label("BtoA").check()
    studio_page.press("Translate")
    studio_page.expect_message("4 images done, 2 failed")
    studio_page.expect_message("broken.png: ")
    studio_page.expect_message("notes.txt: not an image")
    comparison = studio_page.panel.locator(".block", has_text="Before and after").last
    expect(comparison.locator("img")).to_have_count(2)
    archive = studio_page.download(tmp_path)
    model = studio.folder / "runs" / "cyclegan"
    translate("apply", model, images, "-o", "out", "--direction", "BtoA", code=3)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with zipfile.ZipFile(archive) as content:
        assert {name: content.read(name) for name in content.namelist()} == expected


@pytest.mark.parametrize("name", ["deep.png", "transparent.png", "it's #1 (2).JPG"])
def test_the_download_of_one_file_is_that_of_translate_apply(
    page: Page, studio: Studio, images: Path, tmp_path: Path, translate: Command, name: str
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.upload(images / name, "Images")
    studio_page.choose_model("runs/cyclegan", "cyclegan, AtoB")
    studio_page.press("Translate")
    download = studio_page.download(tmp_path)
    translate("apply", studio.folder / "runs" / "cyclegan", images / name, "-o", "out")
    assert (download.name, download.read_bytes()) == (name, (tmp_path / "out" / name).read_bytes())


def test_options_of_files_are_those_of_translate_apply(
    page: Page, studio: Studio, images: Path, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.upload(images / "transparent.png", "Images")
    studio_page.choose_model("runs/cyclegan", "cyclegan, AtoB")
    studio_page.panel.get_by_role("button", name="Files and size").click()
    studio_page.choose("Format", "webp")
    studio_page.choose("Alpha", "drop")
    studio_page.press("Translate")
    download = studio_page.download(tmp_path)
    model = studio.folder / "runs" / "cyclegan"
    options = ["--format", "webp", "--alpha", "drop"]
    translate("apply", model, images / "transparent.png", "-o", "out", *options)
    assert download.read_bytes() == (tmp_path / "out" / download.name).read_bytes()


def test_colour_takes_a_saturation(
    page: Page, studio: Studio, images: Path, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Colour")
    studio_page.upload(images / "deep.png", "Images")
    studio_page.panel.get_by_role("spinbutton", name="Saturation").fill("2")
    studio_page.press("Colour")
    download = studio_page.download(tmp_path)
    translate("colorize", images / "deep.png", "-o", "out", "--saturation", "2")
    assert download.read_bytes() == (tmp_path / "out" / "deep.png").read_bytes()


def test_a_painted_mask_is_filled_and_the_rest_stays_to_the_bit(
    page: Page, studio: Studio, images: Path, tmp_path: Path
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Repair")
    photo = tmp_path / "large.png"
    Image.open(images / "photo.png").resize((240, 180)).save(photo)
    studio_page.upload(photo, "Photo")
    canvas = studio_page.panel.locator("canvas").first
    expect(canvas).to_be_visible()
    page.wait_for_timeout(2000)  # Until the editor has drawn the photo, which its page does not tell.
    box = canvas.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for shift in (-40, 40):  # Two strokes, of which the second is undone.
        page.mouse.move(middle[0] - 30, middle[1] + shift)
        page.mouse.down()
        page.mouse.move(middle[0] + 30, middle[1] + shift, steps=5)
        page.mouse.up()
        page.wait_for_timeout(1000)
    studio_page.panel.get_by_role("button", name="Undo").first.click()
    page.wait_for_timeout(1000)
    studio_page.press("Repair")
    download = studio_page.download(tmp_path)
    before, after = read(photo).frames[0].pixels, read(download).frames[0].pixels
    changed = (before != after).any(axis=-1)
    assert 0.005 < changed.mean() < 0.5
    assert not changed[90:].any(), "the second stroke was undone"
    assert not changed[:20].any()


def test_an_uploaded_mask_gives_the_file_of_translate_inpaint(
    page: Page, studio: Studio, images: Path, tmp_path: Path, translate: Command
) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[20:30, 20:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    studio_page = StudioPage(page, studio)
    studio_page.open("Repair")
    studio_page.upload(images / "it's #1 (2).JPG", "Photo")
    studio_page.upload(tmp_path / "mask.png", "Or a mask, white where to fill")
    studio_page.panel.get_by_label("Dilate").fill("2")
    studio_page.press("Repair")
    download = studio_page.download(tmp_path)
    options = ["--mask", tmp_path / "mask.png", "--dilate", "2"]
    translate("inpaint", images / download.name, "-o", "out", *options)
    assert download.read_bytes() == (tmp_path / "out" / download.name).read_bytes()


def test_errors_are_shown_in_the_page(page: Page, studio: Studio, images: Path) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.press("Translate")
    studio_page.expect_message("no images yet")
    studio_page.upload(images / "notes.txt", "Images")
    studio_page.press("Translate")
    studio_page.expect_message("notes.txt: not an image")
    studio_page.open("Repair")
    studio_page.press("Repair")
    studio_page.expect_message("no photo yet")
    studio_page.upload(images / "photo.png", "Photo")
    studio_page.press("Repair")
    studio_page.expect_message("nothing is painted")


def test_a_stopped_job_keeps_what_is_done(page: Page, studio: Studio, images: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    large = Image.open(images / "photo.png").resize((900, 700))
    for number in range(40):
        large.save(many / f"{number:02d}.png")
    studio_page = StudioPage(page, studio)
    studio_page.open("Colour")
    stop = studio_page.panel.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_have_count(0)
    studio_page.upload(sorted(many.iterdir()), "Images")
    studio_page.press("Colour")
    expect(studio_page.panel.get_by_text(re.compile(r"\d+/40 images")).first).to_be_visible()
    page.wait_for_timeout(2000)
    stop.click()
    studio_page.expect_message("stopped: ")
    with zipfile.ZipFile(studio_page.download(tmp_path)) as content:
        assert 1 < len(content.namelist()) < 40
    expect(stop).to_have_count(0)
    studio_page.press("Colour")
    expect(stop).to_be_visible()
    stop.click()
    studio_page.expect_message("stopped")
