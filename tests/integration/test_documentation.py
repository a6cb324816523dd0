"""The documentation site: the checks of its navigation and of the links of its pages."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module tools/documentation/build.py."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    from documentation import build

    return build


def test_the_navigation_has_each_page(build: ModuleType) -> None:
    assert list(build.check_navigation(ROOT)) == []


def test_a_page_and_a_navigation_that_do_not_match_are_refused(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    for name in ("index", "forgotten", "decisions/first"):
        (tmp_path / "docs" / f"{name}.md").touch()
    nav = '[{"Home" = "index.md"}, {"Decisions" = ["decisions/first.md"]}, {"Old" = "gone.md"}]'
    (tmp_path / "zensical.toml").write_text(f"[project]\nnav = {nav}\n")
    forgotten, gone = build.check_navigation(tmp_path)
    assert "forgotten.md" in forgotten
    assert "gone.md" in gone


@pytest.mark.parametrize(
    ("html", "named"),
    [
        ('<img src="images/gone.png">', "images/gone.png"),
        ('<a href="../gone/">', "../gone/"),
        ('<a href="../../setup.cfg">', "../../setup.cfg"),
        ('<script src="https://example.org/a.js">', "https://example.org/a.js"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "//example.org/a.css"),
        ('<a href="https://example.org"><a href="#here"><a href="../?a#b"><img src="/a%20b.png">', ""),
    ],
)
def test_links_to_no_file_and_files_of_other_hosts_are_refused(
    html: str, named: str, build: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "site" / "page").mkdir(parents=True)
    (tmp_path / "site" / "a b.png").touch()
    (tmp_path / "site" / "page" / "index.html").write_text(html)
    problems = list(build.check_links(tmp_path / "site"))
    assert len(problems) == bool(named)
    assert all(named in problem for problem in problems)
