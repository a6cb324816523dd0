"""Time commands from a cold start, each run in a new process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BASELINES = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "translate --help": ["-m", "translate", "--help"],
}


def rows(model: Path, image: Path, work: Path, rounds: int) -> list[dict[str, Any]]:
    """Return the median seconds of each command; they are run in turn, after a warm-up round."""
    inputs = [str(model), str(image)]
    ours = ["-m", "translate", "apply", *inputs, "-o", str(work / "cold"), "--overwrite"]
    benchmark = str(Path(__file__).parents[1] / "benchmark.py")
    commands = {
        **BASELINES,
        "one photo, plain": [benchmark, "plain", *inputs, str(work / "plain.jpg")],
        "one photo, ours, --engine torch": [*ours, "--engine", "torch"],
        "one photo, ours": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["one photo, plain"]
    return [
        {"way": name, "seconds": median, **({"ratio": base / median} if "photo" in name else {})}
        for name, median in medians.items()
    ]
