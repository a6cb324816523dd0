"""The scores on the built-in dataset that the README quotes, after a few minutes of training.

Slow: `make test-slow` runs these tests one by one on two cores and prints the scores.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.integration.test_tools import TOOLS, score_demo  # noqa: F401 - a fixture
from translate.data.demo import write_demo

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
    arguments = [*RUNS[method], "--data", "demo", "--out", "run"]
    subprocess.run([sys.executable, "-m", "translate", "train", *arguments], cwd=tmp_path, check=True)
    scores = score_demo.score_model(str(tmp_path / "run"), tmp_path / "demo")
    psnr, right_side = np.mean([s.psnr for s in scores]), np.mean([s.right_side for s in scores])
    striped = np.mean([s.striped for s in scores])
    print(f"\n{method}: PSNR {psnr:.2f} dB, right side of mid-gray {right_side:.1%}, striped {striped:.1%}")
    if method == "pix2pix":
        assert psnr >= 20
        assert right_side >= 0.85
    else:
        assert striped >= 0.9
