"""Fixtures for all tests: an empty cache folder, the folder of real datasets, and the device."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.devices import GPU, refuse_auto

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


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip the tests marked `gpu` on a machine without a GPU."""
    for_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not for_gpu or GPU == "cpu":
        return
    import torch  # Imported here, because most runs of single tests need no torch.

    if not torch.cuda.is_available():
        for item in for_gpu:
            item.add_marker(pytest.mark.skip(reason="no GPU: torch.cuda.is_available() is False"))


@pytest.fixture(scope="session", autouse=True)
def fastest_device() -> Iterator[Callable[[], str]]:
    """Let no test leave the choice of the device to `auto`, which picks a GPU where there is one."""
    from translate.models import device

    original = device.fastest_device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "fastest_device", refuse_auto)
        yield original


@pytest.fixture
def auto_device(fastest_device: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test use the device `auto`."""
    monkeypatch.setattr("translate.models.device.fastest_device", fastest_device)


@pytest.fixture
def gpu() -> str:
    """Return the device of a test that is marked `gpu`."""
    return GPU


@pytest.fixture
def torch_engine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the engines beside torch: to benchmark them on every trained model takes seconds."""
    find_spec = importlib.util.find_spec

    def find_no_engine(name: str, *arguments: Any) -> Any:
        return None if name in ("openvino", "onnxruntime") else find_spec(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", find_no_engine)
