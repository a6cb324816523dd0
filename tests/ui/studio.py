"""The studio in a process of its own, and its page as a visitor uses it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.integration.conftest import command, environment

TABS = ("Translate", "Repair", "Colour", "Generate", "Train", "Runs")
SETTLE = 1000  # Milliseconds: the page loses a job that begins just after another one has ended.
SECONDS = 60_000  # To wait for what needs torch, in milliseconds.


@dataclass(frozen=True)
class Studio:
    """A running studio.

    Attributes:
        folder: the folder that it runs in.
    """

    process: subprocess.Popen[str]
    address: str
    folder: Path


@contextmanager
def run_studio(folder: Path, *arguments: str | Path) -> Iterator[Studio]:
    """Run the studio in a folder, and check that it ends without a traceback."""
    words = command("studio", *arguments, "--port", "0", "--no-browser")
    errors = folder / "stderr"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert " at http://" in line, errors.read_text()
            yield Studio(process, line.partition(" at ")[2].partition(";")[0], folder)
        finally:
            process.terminate()
            process.wait(60)
    assert process.returncode in (130, 143)
    assert b"Traceback" not in errors.read_bytes()


class StudioPage:
    """The page of the studio.

    Attributes:
        page: the page in the browser.
    """

    def __init__(self, page: Page, studio: Studio) -> None:
        self.page = page
        page.set_default_timeout(SECONDS)
        expect.set_options(timeout=SECONDS)
        page.goto(studio.address)
        page.get_by_role("tab", name="Translate").wait_for()
        expect(page.get_by_label("Model").first).to_be_visible()
        page.wait_for_timeout(2 * SETTLE)  # Until the lists of all tabs have come.

    @property
    def panel(self) -> Locator:
        """Return the content of the open tab."""
        return self.page.get_by_role("tabpanel").filter(visible=True)

    def open(self, tab: str) -> None:
        """Open a tab, which a narrow page has in a menu."""
        button = self.page.get_by_role("tab", name=tab, exact=True).filter(visible=True)
        if not button.count():
            self.page.locator(".overflow-menu > button").click()
            button = self.page.locator(".overflow-dropdown button", has_text=tab)
        if tab == "Train":
            button.first.click()
        else:  # Its lists are brought up to date.
            with self.page.expect_response(lambda response: "/run/predict" in response.url):
                button.first.click()
        self.page.wait_for_timeout(SETTLE)

    def upload(self, paths: Path | Sequence[Path], label: str) -> None:
        """Choose files for a file component."""
        component = self.panel.locator(".block", has=self.page.get_by_text(label, exact=True)).last
        component.locator("input[type=file]").set_input_files(paths)
        names = [paths.name] if isinstance(paths, Path) else [path.name for path in paths]
        for name in names:
            expect(self.panel.get_by_text(Path(name).stem).first).to_be_attached()

    def choose(self, label: str, value: str) -> None:
        """Choose an entry of a list."""
        self.panel.get_by_label(label, exact=True).click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def choose_model(self, path: str, about: str) -> None:
        """Choose a model, and wait until the tab has been arranged for it.

        Args:
            about: the beginning of its description.
        """
        self.choose("Model", path)
        expect(self.panel.locator(".about", has_text=about).first).to_be_visible()

    def press(self, button: str) -> None:
        """Press a button of the open tab."""
        self.page.wait_for_timeout(SETTLE)
        self.panel.get_by_role("button", name=button, exact=True).click()

    def expect_message(self, text: str) -> None:
        """Wait for a message that contains a text."""
        expect(self.panel.locator(".message", has_text=text).first).to_be_visible()

    def download(self, folder: Path) -> Path:
        """Download the result to a new folder in a folder, and return its path."""
        button = self.panel.get_by_role("button", name="Download ")
        with self.page.expect_download() as download:
            button.click()
        path = folder / "download" / download.value.suggested_filename
        download.value.save_as(path)
        return path
