"""The tools that people run: what they measure and what they draw."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import environment
from tests.pictures import demo
from translate.images import read_rgb

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def score_demo(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import score_demo

    return score_demo


def test_the_measure_of_stripes_fails_horses_and_passes_zebras(score_demo, tmp_path: Path) -> None:
    data = demo(tmp_path, train=0, test=20, size=64)
    for path in sorted((data / "testA").iterdir()):
        horse, zebra = read_rgb(path), read_rgb(data / "testB" / path.name)
        assert not score_demo.score(horse, horse, zebra).striped
        assert not score_demo.score(np.full_like(horse, 128), horse, zebra).striped
        assert score_demo.score(255 - zebra, horse, zebra).right_side == 0
        perfect = score_demo.score(zebra, horse, zebra)
        assert perfect.striped
        assert (perfect.right_side, perfect.psnr) == (1, np.inf)


def test_scores_a_model_on_held_out_scenes(score_demo, model: Path) -> None:
    result = subprocess.run(
        [sys.executable, TOOLS / "score_demo.py", model, "--data", model.parent / "data"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "scenes",
        "PSNR, mean",
        "body on the right side of mid-gray",
        "striped horses",
    ]


def test_lays_folders_side_by_side(tmp_path: Path) -> None:
    data = demo(tmp_path / "data")
    columns = [f"horse={data / 'trainA'}", f"zebra={data / 'trainB'}"]
    out = tmp_path / "sheet.png"
    tool = [sys.executable, TOOLS / "contact_sheet.py"]
    subprocess.run([*tool, *columns, "-o", out, "--rows", "4", "--side", "32"], check=True)
    assert read_rgb(out).shape == (18 + 4 * 36, 4 + 2 * 36, 3)
    wrong = subprocess.run([*tool, "horse=nowhere", "-o", out], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "'horse=nowhere' is not NAME=FOLDER" in wrong.stderr
