"""The tool that measures how well hidden messages are found."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.unit.inference.predictors.test_generation import model

TOOLS = Path(__file__).parents[2] / "tools"


def test_messages_in_smooth_images_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import detect_messages as tool

    model().save_pretrained(tmp_path / "model")
    data = tmp_path / "data"
    data.mkdir()
    for number in range(40):
        cv2.imwrite(str(data / f"{number}.png"), np.full((16, 16, 3), 100 + number, np.uint8))
    arguments = ["--data", str(data), "--seeds", "1", "--steps", "30", "--device", "cpu"]
    result = CliRunner().invoke(tool.main, [str(tmp_path / "model"), *arguments])
    assert result.exit_code == 0, result.output
    first, real, generated = result.stdout.splitlines()
    assert first == "40 images of 16 x 16 each, 8 of them held out; payload 0.4; 30 steps; seeds 0 to 0"
    (accuracy,) = re.findall(r"^trained on real images: on real images ([\d.]+)%", real)
    assert float(accuracy) > 80
    assert re.match(
        r"trained on generated images: on real images [\d.]+% \(.*, on generated images", generated
    )
