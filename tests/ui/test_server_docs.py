"""The documentation that `translate serve` shows in a browser.

Its accessibility is left to its makers: axe-core finds only faults in the pages of Swagger UI and FastAPI.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.integration.test_serve import Server
from tests.ui.pages import all_viewports


@all_viewports
def test_the_documentation_describes_the_paths(server: Server, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/docs")
    page.get_by_text("Translate an image").click()
    expect(page.get_by_text("saturation", exact=True)).to_be_visible()
    expect(page.get_by_text("the body is larger than 32 MiB")).to_be_visible()
