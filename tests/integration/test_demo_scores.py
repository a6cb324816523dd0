"""The scores on the built-in dataset that the README quotes, after a few minutes of training.

Slow: `make test-slow` runs these tests one by one on two cores and prints the scores.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.integration.test_tools import TOOLS, score_demo  # noqa: F401 - a fixture
from translate.data.demo import write_coats, write_demo

SMALL = ["--image-size", "64", "--batch-size", "4", "--ngf", "32", "--ndf", "32"]
RUNS = {
    "pix2pix": ["pix2pix", *SMALL, "--minutes", "3"],
    "cyclegan": [str(TOOLS.parent / "configs" / "demo.yaml"), "--minutes", "5"],
}


@pytest.mark.slow
@pytest.mark.parametrize("method", RUNS)
def test_translated_horses_have_stripes_in_the_right_places(
    method: str,
    score_demo: ModuleType,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    write_demo(tmp_path / "demo")
    arguments = [*RUNS[method], "--data", "demo", "--out", "run", "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "translate", "train", *arguments], cwd=tmp_path, check=True)
    scores = score_demo.score_model(str(tmp_path / "run"), tmp_path / "demo", device="cpu")
    psnr, right_side = np.mean([s.psnr for s in scores]), np.mean([s.right_side for s in scores])
    striped = np.mean([s.striped for s in scores])
    print(f"\n{method}: PSNR {psnr:.2f} dB, right side of mid-gray {right_side:.1%}, striped {striped:.1%}")
    if method == "pix2pix":
        assert psnr >= 20
        assert right_side >= 0.85
    else:
        assert striped >= 0.9
        check_large_scenes(score_demo, tmp_path, scores)


@pytest.mark.slow
def test_translated_horses_have_the_coat_asked_for(
    score_demo: ModuleType,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    write_coats(tmp_path / "coats")
    arguments = [str(TOOLS.parent / "configs" / "demo-stargan.yaml"), "--data", "coats", "--out", "run"]
    command = [sys.executable, "-m", "translate", "train", *arguments, "--device", "cpu"]
    subprocess.run(command, cwd=tmp_path, check=True)
    scores, accuracy = score_demo.score_coats(str(tmp_path / "run"), tmp_path / "coats", device="cpu")
    hit_rate = np.mean([each.hit_rate for each in scores.values()])
    gain = np.mean([each.psnr - each.psnr_of_input for each in scores.values()])
    print(f"\nstargan: taken for the coat asked for {hit_rate:.1%}, {gain:+.2f} dB over the input")
    assert accuracy >= 0.98
    assert hit_rate >= 0.85
    assert gain >= 3


def check_large_scenes(score_demo: ModuleType, folder: Path, small: list[Any]) -> None:  # noqa: F811
    """Check that scenes of 512 px are translated as well as those of 64, the size of the training."""
    write_demo(folder / "demo512", size=512, train=0)
    large = score_demo.score_model(str(folder / "run"), folder / "demo512", device="cpu")
    means = {
        name: [float(np.mean([getattr(s, name) for s in scores])) for scores in (small, large)]
        for name in ("striped", "background_error", "background_energy")
    }
    print(f"at 64 and 512 px: {means}")
    assert abs(means["striped"][0] - means["striped"][1]) <= 0.05
    assert means["background_error"][1] <= means["background_error"][0]
    assert means["background_energy"][1] >= 0.9
