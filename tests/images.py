"""Write small image datasets for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from translate.data.demo import write_demo
from translate.images import write_rgb


def demo(folder: Path, *, train: int = 12, test: int = 2, size: int = 32) -> Path:
    """Write the built-in dataset with few, small images; return its folder."""
    write_demo(folder, size=size, train=train, test=test)
    return folder


def noise(path: Path, height: int = 24, width: int = 32, seed: int = 0) -> Path:
    """Write an image of random pixels; return its path."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    write_rgb(pixels, path)
    return path
