"""What both methods reach on the built-in set in minutes: the figures that the README quotes.

Slow: run alone on two cores by `make test-slow`, which prints the figures.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
def test_stripes_are_painted_where_they_belong(method: str, score_demo, tmp_path: Path) -> None:  # noqa: F811
    write_demo(tmp_path / "demo")
    arguments = [*RUNS[method], "--data", "demo", "--out", "run"]
    subprocess.run([sys.executable, "-m", "translate", "train", *arguments], cwd=tmp_path, check=True)
    done = score_demo.scores(str(tmp_path / "run"), tmp_path / "demo")
    psnr, right = np.mean([s.psnr for s in done]), np.mean([s.right_side for s in done])
    striped = np.mean([s.striped for s in done])
    print(f"\n{method}: PSNR {psnr:.2f} dB, right side of mid-gray {right:.1%}, striped {striped:.1%}")
    if method == "pix2pix":
        assert psnr >= 20
        assert right >= 0.85
    else:
        assert striped >= 0.9
