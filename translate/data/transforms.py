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


def whole_transform(c: ImageTrainConfig) -> A.Compose:
    """What of training's transform is the same each time: the resizing of whole pictures.

    Call with image=a and b=b, (H, W, 3) uint8 each.
    """
    chance = c.preprocess == "random_resized_crop"
    return A.Compose([] if chance else _resize(c, c.resize_to), additional_targets=PAIR)


def training_transform(c: ImageTrainConfig) -> A.Compose:
    """Crop, flip and jitter at random what `whole_transform` gave; call it alike."""
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
    return A.Compose([*_resize(c, c.image_size), *_crop(c, A.CenterCrop)], additional_targets=PAIR)


def _resize(c: ImageTrainConfig, side: int) -> list[A.BasicTransform]:
    smooth = {"interpolation": cv2.INTER_CUBIC, "area_for_downscale": "image"}
    if c.preprocess == "resize_and_crop":
        return [A.Resize(side, side, **smooth)]
    if c.preprocess == "random_resized_crop":
        return [A.SmallestMaxSize(side, **smooth)]
    if c.preprocess.startswith("scale_width"):
        return [A.LongestMaxSize(max_size_hw=(None, side), **smooth)]
    return []


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
