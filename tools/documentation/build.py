"""Build the documentation site in site/, with warnings as errors: make docs

Zensical's strict mode refuses links to pages and headings that do not exist, and references to names that the
site does not describe. It lets other mistakes pass, so this looks for them: warnings about docstrings, links
to other files that do not exist (images), a navigation that does not match the pages, and what a page would
load from another host.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]
CONFIG = "zensical.toml"


def main() -> None:
    """Build the site; exit with 1 if anything is wrong with it."""
    # As a module, Zensical has the working directory on its path: griffe_settings imports translate from it.
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    result = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    sys.stderr.write(result.stderr)
    problems = [line for line in result.stderr.splitlines() if re.match(r"(griffe|mkdocstrings): ", line)]
    if result.returncode == 0:
        # A page that is only in the navigation would be a link to no file on each page.
        problems += list(check_navigation(ROOT)) or check_links(ROOT / "site")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(bool(problems) or result.returncode)


def check_navigation(root: Path) -> Iterator[str]:
    """Yield a line for each page that the navigation lacks, and for each that it names but does not exist."""
    pages = {path.relative_to(root / "docs").as_posix() for path in root.glob("docs/**/*.md")}
    named = set(_pages(tomllib.loads((root / CONFIG).read_text(encoding="utf-8"))["project"]["nav"]))
    for page in sorted(pages - named):
        yield f"docs/{page} is not in the navigation: add it to {CONFIG}"
    for page in sorted(named - pages):
        yield f"docs/{page} does not exist: remove it from the navigation in {CONFIG}"


def _pages(entry: Any) -> Iterator[str]:
    """Yield the pages of an entry of the navigation: a page, or a table or a list of entries."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from _pages(inner)


class LinkParser(HTMLParser):
    """A parser that collects the links of a page, as pairs of a tag and an address."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the links of a tag."""
        self.links += [(tag, value) for name, value in attrs if name in ("href", "src") and value]


def check_links(site: Path) -> Iterator[str]:
    """Yield a line for each link to no file, and for each file that a page loads from another host."""
    for page in sorted(site.rglob("*.html")):
        parser = LinkParser()
        parser.feed(page.read_text(encoding="utf-8"))
        for tag, link in parser.links:
            address = urlsplit(link)
            name = page.relative_to(site)
            if address.scheme or address.netloc:
                if tag != "a" and address.scheme != "data":
                    yield f"{name} loads {link}: put a copy of it into docs/"
                continue
            folder = site if address.path.startswith("/") else page.parent
            target = (folder / unquote(address.path).lstrip("/")).resolve()
            if not (target.is_relative_to(site.resolve()) and target.exists()):
                yield f"{name} links to {link}, which is not on the site"


if __name__ == "__main__":
    main()
