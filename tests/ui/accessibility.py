"""Check pages for faults of accessibility, by the rules of axe-core."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

IMPACTS = ("serious", "critical")


def check_accessibility(page: Page) -> None:
    """Check a page as it is displayed now.

    Raises:
        AssertionError: elements violate rules with a serious or critical impact; the message names both.
    """
    violations = Axe().run(page).response["violations"]
    found = [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['target']}"
        for violation in violations
        if violation["impact"] in IMPACTS
        for node in violation["nodes"]
    ]
    assert not found, "\n".join(found)
