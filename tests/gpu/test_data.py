"""Batches on a GPU are those of the loader on the CPU, bit for bit, whichever way they come."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.images import training_data
from translate.data.datasets import loader
from translate.data.datasets.loader import InfiniteBatchSampler, iterate_batches
from translate.methods.registry import METHODS, find_method

pytestmark = pytest.mark.gpu
SETTINGS: dict[str, dict[str, Any]] = {
    "crops": {"image_size": 32},
    "mirrored": {"image_size": 64, "flip": True},
}


@pytest.mark.parametrize(("share", "workers"), [(loader.MEMORY_SHARE, 0), (0, 0), (0, 1)])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("name", METHODS)
def test_the_batches_are_those_on_the_cpu(
    name: str,
    settings: dict[str, Any],
    share: float,
    workers: int,
    gpu: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A share of 0 lets no dataset lie in the memory of the GPU, so that batches are uploaded."""
    monkeypatch.setattr(loader, "MEMORY_SHARE", share)
    method = find_method(name)
    config_class = method.config_class()
    own = {key: value for key, value in settings.items() if key in config_class.__dataclass_fields__}
    c = config_class(data=str(training_data(name, data)), batch_size=4, **own)
    dataset = method.load_task().data(c).train
    sampler = InfiniteBatchSampler(len(dataset), 4, seed=3)
    expected = list(islice(iterate_batches(dataset, sampler, 0), 6))
    expected = [{name: tensor.clone() for name, tensor in batch.items()} for batch in expected]
    batches = iterate_batches(dataset, sampler, workers, device=torch.device(gpu))
    for on_cpu, batch in zip(expected, islice(batches, len(expected)), strict=False):
        assert batch.keys() == on_cpu.keys()
        for key, tensor in batch.items():
            assert tensor.device.type == torch.device(gpu).type
            assert tensor.cpu().equal(on_cpu[key])
    batches.close()  # type: ignore[attr-defined]
