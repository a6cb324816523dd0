"""From a command to its answer, in a new process each time."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WHAT = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "translate --help": ["-m", "translate", "--help"],
}


def rows(model: Path, image: Path, work: Path, rounds: int) -> list[dict[str, Any]]:
    """Seconds of each command, the commands in turn; the first round warms up and does not count."""
    one = [str(model), str(image)]
    ours = ["-m", "translate", "apply", *one, "-o", str(work / "cold"), "--overwrite"]
    by_hand = str(Path(__file__).parents[1] / "benchmark.py")
    commands = {
        **WHAT,
        "one photo, plain": [by_hand, "plain", *one, str(work / "plain.jpg")],
        "one photo, ours, --engine torch": [*ours, "--engine", "torch"],
        "one photo, ours": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["one photo, plain"]
    return [
        {"way": name, "seconds": median, **({"ratio": base / median} if "photo" in name else {})}
        for name, median in medians.items()
    ]
