"""Where the real data of development lies, and a cache folder of each test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("TRANSLATE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, empty: no test sees what another, or the person here, has left."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TRANSLATE_CACHE", str(folder))
    return folder


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets and golden tensors; tests that need it skip where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}: set TRANSLATE_TEST_DATA to its folder")
    return REAL_DATA
