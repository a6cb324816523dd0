"""Every registered method trains with its own settings, resumes and is applied, on a GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import translate
from tests.images import training_data
from tests.unit.test_recipes import VARIANTS, WIDTHS, apply, own_settings
from translate.inference import VolumeSampler

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.usefixtures("auto_device")]


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_trains_3000_steps_resumes_and_applies(
    name: str, settings: dict[str, Any], gpu: str, data: Path, tmp_path: Path
) -> None:
    out, steps, small = tmp_path / "run", 3000, {}
    if gpu == "cpu":
        steps, small = 3, {**own_settings(name, WIDTHS), "batch_size": 2, "workers": 0}
    data = training_data(name, data)
    translate.train(name, data=str(data), out=str(out), image_size=64, steps=steps, **small, **settings)
    model = translate.train(name, out=str(out), resume=True, steps=steps + 10)
    assert model.config.trained_on["steps"] == steps + 10
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert losses
    assert np.isfinite(losses).all()
    log = (out / "log.txt").read_text()
    assert "torch.compile failed" not in log
    if gpu != "cpu":
        assert "each step one CUDA graph" in log
        assert "no CUDA graph" not in log
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    output = apply(model, image)
    sizes = {translate.Sampler: (64, 64, 3), VolumeSampler: (64, 64, 64)}
    assert output.shape == sizes.get(type(model), image.shape)
    assert output.std() > 0
