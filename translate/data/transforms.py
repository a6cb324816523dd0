"""Albumentations pipelines: how a picture becomes a training crop, and how it is shown for scoring.

Pairs go through one pipeline together, so that crop, flip, colour and rotation agree.
"""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for news otherwise

import albumentations as A
import cv2

from translate.config import ImageTrainConfig

PAIR = {"b": "image"}


def whole_size(c: ImageTrainConfig, height: int, width: int, *, training: bool) -> tuple[int, int]:
    """The height and width that a whole picture is brought to, before anything is cut from it."""
    side = c.resize_to if training else c.image_size
    if c.preprocess == "resize_and_crop":
        return side, side
    if c.preprocess.startswith("scale_width"):
        return max(1, round(height * side / width)), side
    if c.preprocess == "random_resized_crop" and not training:
        factor = side / min(height, width)
        return max(side, round(factor * height)), max(side, round(factor * width))
    return height, width


def training_transform(c: ImageTrainConfig) -> A.Compose:
    """Crop, flip and jitter whole pictures of that size at random: image=a and b=b, (H, W, 3) uint8 each."""
    steps = _crop(c, A.RandomCrop)
    if c.preprocess == "random_resized_crop":
        steps = [_random_resized_crop(c.image_size)]
    if c.flip:
        steps.append(A.HorizontalFlip(p=0.5))
    if c.affine:
        steps.append(_affine(c.affine))
    if c.color_jitter:
        steps.append(_color_jitter(c.color_jitter))
    return A.Compose(steps, additional_targets=PAIR)


def evaluation_transform(c: ImageTrainConfig) -> A.Compose:
    """The same size without chance: the whole picture where training resizes, else its middle."""
    return A.Compose(_crop(c, A.CenterCrop), additional_targets=PAIR)


def _crop(c: ImageTrainConfig, crop: type[A.BasicTransform]) -> list[A.BasicTransform]:
    """Down to the image size, or up to a size that the network can take; edges are mirrored."""
    border = cv2.BORDER_REFLECT_101
    if c.preprocess.endswith("crop"):
        return [crop(c.image_size, c.image_size, pad_if_needed=True, border_mode=border)]
    least, multiple = c.least_size, c.size_multiple
    divisors = {"pad_height_divisor": multiple, "pad_width_divisor": multiple}
    return [
        A.PadIfNeeded(least, least, border_mode=border),
        A.PadIfNeeded(None, None, **divisors, border_mode=border),
    ]


def _random_resized_crop(side: int) -> A.BasicTransform:
    """From a quarter of the picture to all of it, its aspect a little changed (arXiv:1409.4842)."""
    about = {"scale": (0.25, 1.0), "ratio": (4 / 5, 5 / 4), "area_for_downscale": "image"}
    return A.RandomResizedCrop((side, side), **about)


def _affine(degrees: float) -> A.BasicTransform:
    return A.Affine(rotate=(-degrees, degrees), border_mode=cv2.BORDER_REFLECT_101, p=1)


def _color_jitter(strength: float) -> A.BasicTransform:
    around = (1 - 0.4 * strength, 1 + 0.4 * strength)
    hue = (-0.1 * strength, 0.1 * strength)
    return A.ColorJitter(brightness=around, contrast=around, saturation=around, hue=hue, p=1)
