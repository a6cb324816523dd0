"""Write small datasets for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from translate.data.demo import write_demo
from translate.data.shapes import write_shapes
from translate.images import write_rgb
from translate.methods.gan3d.config import GAN3DConfig
from translate.methods.registry import find_method


def demo(folder: Path, *, train: int = 12, test: int = 2, size: int = 32) -> Path:
    """Write the built-in dataset with few, small images; return its folder."""
    write_demo(folder, size=size, train=train, test=test)
    return folder


def training_data(method: str, images: Path) -> Path:
    """Return a dataset that a method trains on: the images, or shapes that are written beside them."""
    if not issubclass(find_method(method).config_class(), GAN3DConfig):
        return images
    folder = images.parent / "shapes"
    if not folder.exists():
        write_shapes(folder, count=20)
    return folder


def noise(path: Path, height: int = 24, width: int = 32, seed: int = 0) -> Path:
    """Write an image of random pixels; return its path."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    write_rgb(pixels, path)
    return path
