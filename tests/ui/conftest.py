"""Fixtures for the tests in a browser, which are skipped where it, or a package, is not installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import (  # noqa: F401  # Fixtures.
    default_signals,
    model,
    shared_cache,
    translate,
)
from tests.ui.pages import DESKTOP, ColorScheme, Viewport, find_chromium, open_page

if TYPE_CHECKING:  # The tests are collected, and skipped, without this package too.
    from playwright.sync_api import Browser, Page

    from tests.integration.test_serve import Server
    from tests.ui.studio import Studio

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
RECIPES_FROM_NOISE = ("dcgan", "cgan", "infogan")
PACKAGES = ("axe_playwright_python", "gradio", "playwright", "schemathesis")
CHROMIUM_FLAGS = [  # Without a sandbox it runs as root too; the others keep it from looking for updates.
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]


class SkippedModule(pytest.Module):
    """A module of tests that is not imported."""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip the module."""
        pytest.skip("the extras [ui] and [test-ui] are not installed: run make test-ui")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip the modules of this folder where a package that they import is not installed."""
    if all(map(find_spec, PACKAGES)):
        return None
    return SkippedModule.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the installed Chromium, without a window."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def viewport() -> Viewport:
    """Return the size of the fixture `page`, unless the test is parametrized with another."""
    return DESKTOP


@pytest.fixture
def color_scheme() -> ColorScheme:
    """Return the color scheme of the fixture `page`, unless the test is parametrized with another."""
    return "light"


@pytest.fixture
def page(browser: Browser, viewport: Viewport, color_scheme: ColorScheme) -> Iterator[Page]:
    """Open an empty page; an error that it logs, or a request to another machine, fails the test."""
    with open_page(browser, viewport, color_scheme) as page:
        yield page


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a model that changes nothing, and the installed one that takes masks."""
    from tests.integration.test_serve import serve

    with serve(tmp_path_factory.mktemp("serve"), IDENTITY, "inpaint") as server:
        yield server


@pytest.fixture(scope="session")
def studio(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:  # noqa: F811
    """Run the studio in a folder with runs of several recipes."""
    from tests.ui.studio import run_studio

    folder = tmp_path_factory.mktemp("studio")
    shutil.copytree(model, folder / "runs" / "cyclegan")
    for recipe in RECIPES_FROM_NOISE:
        run = folder / "runs" / recipe
        shutil.copytree(FIXTURES / recipe, run / "model")
        (run / "config.yaml").write_text(f"recipe: {recipe}\n", encoding="utf-8")
    with run_studio(folder) as studio:
        yield studio
