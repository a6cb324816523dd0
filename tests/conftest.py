"""Fixtures for all tests: an empty cache folder, and the folder of real datasets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("TRANSLATE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache folder, so that it does not depend on other tests or the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TRANSLATE_CACHE", str(folder))
    return folder


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real datasets and golden tensors, or skip the test if it does not exist."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}: set TRANSLATE_TEST_DATA to its folder")
    return REAL_DATA
