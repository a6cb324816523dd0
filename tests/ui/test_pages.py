"""The checks of the tests in a browser fail for what they are to find."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.accessibility import check_accessibility
from tests.ui.pages import PHONE, ColorScheme, Viewport, all_color_schemes, all_viewports, open_page

ACCESSIBLE = "<html lang=en><title>A page</title><main><h1>A page</h1></main>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<img src=http://example.invalid/a.png>", "request to http://example.invalid/a.png"),
        ("<script>new WebSocket('ws://example.invalid')</script>", "request to ws://example.invalid"),
        ("<script>window.open('http://example.invalid')</script>", "request to http://example.invalid"),
        ("<script>console.error('an error', 1)</script>", "console: an error 1"),
        ("<script>undefined_name</script>", "exception: .*undefined_name is not defined"),
    ],
)
def test_requests_to_other_machines_and_errors_fail(browser: Browser, content: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message), open_page(browser, PHONE, "light") as page:
        page.set_content(content)


def test_rules_of_accessibility_that_are_violated_are_named(page: Page) -> None:
    page.set_content(ACCESSIBLE)
    check_accessibility(page)
    page.set_content(f"{ACCESSIBLE}<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' id=photo>")
    with pytest.raises(AssertionError, match=r"image-alt \(critical\).*#photo"):
        check_accessibility(page)


@all_viewports
@all_color_schemes
def test_pages_have_the_size_and_the_color_scheme(
    page: Page, viewport: Viewport, color_scheme: ColorScheme
) -> None:
    assert page.evaluate("[innerWidth, innerHeight]") == list(viewport)
    assert page.evaluate(f"matchMedia('(prefers-color-scheme: {color_scheme})').matches")
