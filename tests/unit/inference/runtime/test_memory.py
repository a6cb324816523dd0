"""Memory limits follow from the memory that a device has, whatever else runs on it."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
import torch

from translate.inference.runtime.memory import GIB, MAX_TILED, MAX_UNTILED, memory_limits


@pytest.mark.parametrize(("total", "limits"), [(15.6, (MAX_UNTILED, MAX_TILED)), (3.8, (GIB, GIB))])
def test_the_limits_do_not_depend_on_the_free_memory(
    total: float, limits: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in (torch.device("cpu"), torch.device("cuda")):
        for free in (0.1, 0.9):
            memory = SimpleNamespace(total=int(total * GIB), available=int(free * total * GIB))
            monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
            card = SimpleNamespace(total_memory=int(total * GIB))
            monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, card=card: card)
            assert memory_limits(device) == limits
