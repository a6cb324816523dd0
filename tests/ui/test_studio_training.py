"""The tabs Train and Runs: a training is a process of its own, which the page only starts and watches."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.images import demo
from tests.ui.pages import DESKTOP, PHONE, open_page
from tests.ui.studio import Studio, StudioPage, run_studio
from translate.training.runs.lock import find_owner
from translate.training.runs.status import read_status


def wait_for_state(run: Path, state: str) -> None:
    deadline = time.monotonic() + 60
    while read_status(run).state != state:
        assert time.monotonic() < deadline, read_status(run)
        time.sleep(0.2)


def start_training(studio_page: StudioPage, out: str) -> None:
    """Start a long training with small images on the dataset in `data`."""
    studio_page.open("Train")
    panel = studio_page.panel
    expect(panel.get_by_role("button", name="Start training")).to_be_disabled()
    panel.get_by_label("Folder of the dataset").fill("data")
    studio_page.press("Check the data")
    studio_page.expect_message("cyclegan would use 12 + 12 training images")
    panel.get_by_label("steps").check()
    panel.get_by_label("Length", exact=True).fill("100000")
    panel.get_by_label("Image size").fill("32")
    panel.get_by_label("Folder of the run").fill(out)
    expect(panel.get_by_role("button", name="Start training")).to_be_enabled()
    studio_page.press("Start training")
    studio_page.expect_message(f"started: translate train cyclegan --data data --out {out}")
    studio_page.expect_message(f"{out}: cyclegan, training")


def test_a_training_is_watched_stopped_and_resumed_and_outlives_browser_and_studio(
    browser: Browser, tmp_path: Path
) -> None:
    demo(tmp_path / "data")
    run = tmp_path / "runs" / "first"
    try:
        with run_studio(tmp_path) as studio:
            with open_page(browser, DESKTOP, "light") as page:
                studio_page = StudioPage(page, studio)
                start_training(studio_page, "runs/first")
                expect(studio_page.panel.get_by_label("Log")).to_have_value(
                    re.compile(r"epoch \d+  step \d+")
                )
                studio_page.press("Stop (saves)")
                studio_page.expect_message("stopped at step")
                assert read_status(run).state == "stopped"
                studio_page.press("Resume")
                studio_page.expect_message("resumed")
                wait_for_state(run, "training")
            with open_page(browser, PHONE, "dark") as page:  # Another browser, on a phone.
                studio_page = StudioPage(page, studio)
                studio_page.open("Runs")
                studio_page.expect_message("runs/first: cyclegan, training")
        assert read_status(run).state == "training", "it has outlived the studio"
    finally:
        owner = find_owner(run)
        if owner:
            os.kill(owner.pid, signal.SIGTERM)
    wait_for_state(run, "stopped")


def test_wrong_data_and_settings_are_refused_in_the_page(page: Page, studio: Studio) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Train")
    studio_page.panel.get_by_label("Folder of the dataset").fill("nowhere")
    studio_page.press("Check the data")
    studio_page.expect_message("'nowhere'")
    studio_page.press("Use the built-in dataset")
    studio_page.expect_message("datasets/demo holds horses")
    studio_page.press("Check the data")
    studio_page.expect_message("cyclegan would use")
    studio_page.panel.get_by_label("Folder of the run").fill("runs/cyclegan")
    studio_page.press("Start training")
    studio_page.expect_message("runs/cyclegan holds a run")
    studio_page.panel.get_by_label("Batch size").fill("0")
    studio_page.press("Start training")
    studio_page.expect_message("batch_size is 0")


def test_runs_are_listed_with_their_curves_samples_and_settings(page: Page, studio: Studio) -> None:
    studio_page = StudioPage(page, studio)
    studio_page.open("Runs")
    panel = studio_page.panel
    panel.get_by_label("Run", exact=True).click()
    option = page.get_by_role("option", name="runs/cyclegan: cyclegan, ended")
    option.click()
    studio_page.expect_message("ended at step 1")
    expect(panel.get_by_label("Step")).to_have_value("1")
    expect(panel.locator(".block", has_text="Samples").last.locator("img")).to_be_visible()
    expect(panel.get_by_text("Losses")).to_be_visible()
    expect(panel.get_by_text("Validation scores")).to_be_visible()
    panel.get_by_role("button", name="Settings").click()
    expect(panel.get_by_text("recipe: cyclegan")).to_be_visible()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_studio_ends_by_a_signal_although_a_page_is_open(
    browser: Browser, tmp_path: Path, number: signal.Signals
) -> None:
    # Not `open_page`: the page asks for its lost studio, which is an error in its console.
    with browser.new_context() as context, run_studio(tmp_path, "colorize") as studio:
        StudioPage(context.new_page(), studio)
        studio.process.send_signal(number)
        assert studio.process.wait(30) == 128 + number
