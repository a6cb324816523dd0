"""The page of the studio as a whole: accessibility, and what it keeps closed."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.integration.conftest import Command
from tests.ui.accessibility import check_accessibility
from tests.ui.pages import all_color_schemes, all_viewports
from tests.ui.studio import TABS, Studio, StudioPage, run_studio

TOKEN = "a-token-of-this-test"


def request(
    studio: Studio, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, bytes]:
    """Return status and content of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(studio.address).port or 80, timeout=30)
    connection.request("POST" if body else "GET", path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@all_viewports
@all_color_schemes
def test_each_tab_is_accessible(page: Page, studio: Studio) -> None:
    studio_page = StudioPage(page, studio)
    for tab in TABS:
        if tab != TABS[0]:  # It is open.
            studio_page.open(tab)
        check_accessibility(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.evaluate("window.innerWidth"), f"{tab} scrolls sideways"


def test_the_page_works_by_keyboard(page: Page, studio: Studio) -> None:
    StudioPage(page, studio)
    page.get_by_role("tab", name="Translate").focus()
    for _ in TABS[1:]:
        page.keyboard.press("Tab")
    expect(page.get_by_role("tab", name="Runs")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Runs")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Translate").press("Enter")
    button = page.get_by_role("button", name="Translate", exact=True)
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".message", has_text="no images yet")).to_be_visible()


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_pages_of_other_sites_are_refused(studio: Studio, headers: dict[str, str]) -> None:
    assert request(studio, "/")[0] == 200
    assert request(studio, "/", headers)[0] in (403, 421)


def test_only_its_own_files_are_served_and_no_url_is_opened(studio: Studio, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    for path in (secret, studio.folder / "stderr", studio.folder / "runs" / "cyclegan" / "config.yaml"):
        assert request(studio, f"/gradio_api/file={path}")[0] == 403
    for url in ("http://127.0.0.1:9/x", "https://example.com/x"):
        assert request(studio, f"/gradio_api/file={url}")[0] >= 400


def test_no_handler_can_be_called_by_name(studio: Studio) -> None:
    status, content = request(studio, "/gradio_api/info")
    assert status == 200
    assert json.loads(content)["named_endpoints"] == {}
    assert request(studio, "/monitoring")[0] in (401, 403, 404)


def test_other_machines_need_a_token_and_cannot_train(page: Page, tmp_path: Path, translate: Command) -> None:
    assert "--token-file" in translate("studio", "colorize", "--host", "0.0.0.0", code=2).stderr
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    with run_studio(tmp_path, "colorize", "--host", "0.0.0.0", "--token-file", "token") as studio:
        assert request(studio, "/")[0] == 401
        basic = base64.b64encode(f"any:{TOKEN}".encode()).decode()
        status, content = request(studio, "/", {"Authorization": f"Basic {basic}"})
        assert status == 200
        assert b"Start training" not in content
        assert b"Colour" in content


def test_a_wrong_model_is_an_error_of_the_command(translate: Command) -> None:
    assert "nowhere" in translate("studio", "nowhere", "--port", "0", code=2).stderr
