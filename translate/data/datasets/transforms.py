"""Data augmentation: albumentations pipelines of random crops, flips, rotations and color jitter.

There is one pipeline for training, and a deterministic one for validation. Both images of a pair go through
the pipeline in one call, so that they get the same crop, flip, rotation and color jitter.
"""

from __future__ import annotations

import os
import random

# Albumentations checks online for newer versions when it is imported, unless this is set before.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import numpy as np

from translate.config import AugmentationConfig
from translate.config.training.augmentation import RESIZING_PREPROCESSES
from translate.data.datasets.batched_rng import IntArray
from translate.data.datasets.crops import Crops
from translate.images import Pixels, shorter_side_size
from translate.images.working_size import working_shape

PAIR = {"b": "image"}


def resized_shape(c: AugmentationConfig, height: int, width: int, *, training: bool) -> tuple[int, int]:
    """Return the height and width to which an image is resized before it is cropped.

    In validation, the whole image is seen as `translate apply` would show it to the network: at its working
    size, which is not larger than its own.
    """
    side = c.resize_to
    if c.preprocess == "random_resized_crop":
        return (height, width) if training else shorter_side_size(height, width, c.image_size)
    if c.preprocess not in RESIZING_PREPROCESSES:
        return height, width
    if not training:
        return working_shape(height, width, side, c.size_multiple)
    return (side, side) if c.preprocess == "resize_and_crop" else (max(1, round(height * side / width)), side)


def training_transform(c: AugmentationConfig) -> A.Compose:
    """Build the data augmentation pipeline for training.

    Returns:
        A pipeline for `image=` and optionally `b=`, which are (H, W, 3) uint8 at the size of `resized_shape`.
    """
    steps = _crop(c, A.RandomCrop) if c.preprocess.endswith("crop") else _pad(c)
    if c.preprocess == "random_resized_crop":
        steps = [_random_resized_crop(c.image_size)]
    if c.flip:
        steps.append(A.HorizontalFlip(p=0.5))
    if c.affine:
        steps.append(_affine(c.affine))
    if c.color_jitter:
        steps.append(_color_jitter(c.color_jitter))
    return A.Compose(steps, additional_targets=PAIR)


def evaluation_transform(c: AugmentationConfig) -> A.Compose:
    """Build the deterministic pipeline for validation.

    It pads an image that has its working size. Other images, whose size may be anything, are cropped to their
    center with --preprocess crop and random_resized_crop.
    """
    crops = c.preprocess in ("crop", "random_resized_crop")
    return A.Compose(_crop(c, A.CenterCrop) if crops else _pad(c), additional_targets=PAIR)


def draw_crops(c: AugmentationConfig, height: int, width: int, seeds: IntArray) -> Crops:
    """Return the crops and flips that `training_transform`, with each seed, makes of images of one size.

    The pipeline itself takes 70 us for each image, even if its image is small. Each of its transforms has a
    generator of its own, and all start from the same seed.
    """
    rng, draws = random.Random(), np.empty((len(seeds), 2))
    for row, seed in enumerate(seeds.tolist()):
        rng.seed(seed)
        draws[row] = rng.random(), rng.random()
    is_cropped = c.preprocess.endswith("crop")
    margins = (height - c.image_size, width - c.image_size) if is_cropped else (0, 0)
    top, left = ((draws * (np.array(margins) + 1)).astype(np.int64)).T
    return Crops(top, left, np.asarray((draws[:, 0] < 0.5) & c.flip))


def _crop(c: AugmentationConfig, crop: type[A.BasicTransform]) -> list[A.BasicTransform]:
    """Crop to the image size; a smaller image is padded by mirroring it."""
    return [crop(c.image_size, c.image_size, pad_if_needed=True, border_mode=cv2.BORDER_REFLECT_101)]


def _pad(c: AugmentationConfig) -> list[A.BasicTransform]:
    """Pad to a size that the networks accept, by mirroring the image."""
    border = cv2.BORDER_REFLECT_101
    min_size, multiple = c.min_image_size, c.size_multiple
    divisors = {"pad_height_divisor": multiple, "pad_width_divisor": multiple}
    return [
        A.PadIfNeeded(min_size, min_size, border_mode=border),
        A.PadIfNeeded(None, None, **divisors, border_mode=border),
    ]


def _random_resized_crop(side: int) -> A.BasicTransform:
    """Crop a quarter of the image or more, at a random aspect ratio, and resize it (arXiv:1409.4842)."""
    options = {"scale": (0.25, 1.0), "ratio": (4 / 5, 5 / 4), "area_for_downscale": "image"}
    return A.RandomResizedCrop((side, side), **options)


def _affine(degrees: float) -> A.BasicTransform:
    return A.Affine(rotate=(-degrees, degrees), border_mode=cv2.BORDER_REFLECT_101, p=1)


def _color_jitter(strength: float) -> A.BasicTransform:
    factor = (1 - 0.4 * strength, 1 + 0.4 * strength)
    hue = (-0.1 * strength, 0.1 * strength)
    return A.ColorJitter(brightness=factor, contrast=factor, saturation=factor, hue=hue, p=1)


def is_gray(image: Pixels) -> bool:
    """Return whether all channels of an image, (H, W, C), are equal: scanners store gray as RGB."""
    return bool((image == image[..., :1]).all())


def convert_channels(image: Pixels, channels: int) -> Pixels:
    """Convert an image of 1 or 3 channels, (H, W, C), to 1 (the luminance) or 3 channels."""
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
