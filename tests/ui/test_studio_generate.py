"""The tab Generate: the downloads are the files of `translate sample`, and it offers what a model can do."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.integration.conftest import Command
from tests.ui.studio import Studio, StudioPage
from translate.models import read_model_config


def test_a_grid_is_that_of_translate_sample(
    page: Page, studio: Studio, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Generate")
    studio_page.choose_model("runs/dcgan", "dcgan, from noise")
    studio_page.panel.get_by_label("Seed").fill("7")
    studio_page.panel.get_by_label("Count").fill("9")
    studio_page.panel.get_by_label("Truncate").check()
    studio_page.panel.get_by_role("spinbutton", name="Truncation").fill("1.5")
    studio_page.press("Generate")
    download = studio_page.download(tmp_path)
    expect(studio_page.panel.locator("img").last).to_be_visible()
    run = studio.folder / "runs" / "dcgan"
    translate("sample", run, "-o", "same.png", "-n", "9", "--seed", "7", "--truncation", "1.5")
    assert download.read_bytes() == (tmp_path / "same.png").read_bytes()


def test_single_images_of_a_class_are_those_of_translate_sample(
    page: Page, studio: Studio, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Generate")
    studio_page.choose_model("runs/cgan", "cgan, from noise")
    studio_page.panel.get_by_label("single images").check()
    studio_page.panel.get_by_label("Count").fill("3")
    run = studio.folder / "runs" / "cgan"
    name = read_model_config(run).classes[1]
    studio_page.choose("Class", name)
    studio_page.press("Generate")
    archive = studio_page.download(tmp_path)
    translate("sample", run, "-o", "same", "-n", "3", "--class", name)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "same").iterdir()}
    with zipfile.ZipFile(archive) as content:
        assert {path: content.read(path) for path in content.namelist() if path != "./"} == expected


def test_a_walk_is_that_of_translate_sample(
    page: Page, studio: Studio, tmp_path: Path, translate: Command
) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Generate")
    studio_page.choose_model("runs/dcgan", "dcgan, from noise")
    studio_page.panel.get_by_label("walk").check()
    studio_page.panel.get_by_label("Count").fill("2")
    studio_page.press("Generate")
    download = studio_page.download(tmp_path)
    translate("sample", studio.folder / "runs" / "dcgan", "-o", "same.webp", "--interpolate", "2")
    assert download.read_bytes() == (tmp_path / "same.webp").read_bytes()


def test_a_model_is_offered_what_its_kind_can_do_and_nothing_else(page: Page, studio: Studio) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Generate")
    for recipe, results, has_classes in (
        ("dcgan", ["grid", "single images", "walk"], False),
        ("cgan", ["grid", "single images", "walk"], True),
        ("infogan", ["grid", "single images", "walk", "codes"], False),
    ):
        studio_page.choose_model(f"runs/{recipe}", f"{recipe}, from noise")
        radios = studio_page.panel.get_by_role("radio")
        expect(radios).to_have_count(len(results))
        assert [radio.get_attribute("value") for radio in radios.all()] == results
        expect(studio_page.panel.get_by_label("Class", exact=True)).to_have_count(int(has_classes))


def test_wrong_numbers_are_refused_in_the_page(page: Page, studio: Studio) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Generate")
    studio_page.choose_model("runs/dcgan", "dcgan, from noise")
    for label, value, message in (
        ("Count", "3.7", "count is 3.7"),
        ("Count", "", "count is None"),
        ("Count", "4", "4 images"),
        ("Seed", "-1", "seed is -1"),
    ):
        studio_page.panel.get_by_label(label).fill(value)
        studio_page.press("Generate")
        studio_page.expect_message(message)
