"""Read the images of a dataset, score each of them, and average the scores: the parts that suites share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np

from translate.config.value_range import BY_TYPE, ValueRange
from translate.data.discovery.find import find_photos
from translate.data.discovery.location import ImageSource
from translate.errors import DataError
from translate.evaluation.scoring import (
    TRUE_COLORFULNESS,
    ImageScores,
    Request,
    Row,
    frechet_or_none,
    ratio,
)
from translate.images import Pixels, printable_path, resize_and_center_crop
from translate.inference import Predictor, load_predictor
from translate.models import Model

SIDE = 256  # of the center crop of a photo, in pixels
CROP = (
    f"shorter side scaled down to {SIDE} px by area if longer, then a center crop of at most {SIDE} x {SIDE}"
)

Item = TypeVar("Item")
RowScores = dict[tuple[str, str], ImageScores]  # the scores of one image, by the group and name of the row


def load_predictors(
    model: Model, folder: Path | None, *, device: str, precision: str
) -> dict[str, Predictor]:
    """Load a predictor for each direction of a model.

    The engine is always torch, because other engines round differently. The images that it gets are scaled by
    the model's value range already.

    Args:
        folder: unused; a sampler is loaded with the same arguments and needs it.
    """
    return {
        direction: load_predictor(
            model, direction=direction, device=device, precision=precision, engine="torch", range=BY_TYPE
        )
        for direction in model.config.routes
    }


def value_ranges(predictors: Mapping[str, Predictor]) -> list[ValueRange | None]:
    """Return the stored values of black and white of each domain of a model, as it was trained."""
    config = next(iter(predictors.values())).config
    return [config.value_range_of(domain) for domain in config.domains]


def find_photos_to_score(data: str) -> tuple[list[ImageSource], str]:
    """Find the validation photos of a dataset, or all photos of a flat folder; return them and a description.

    Raises:
        UsageError: the folder is missing or empty.
    """
    dataset = find_photos(data)
    if dataset.validation and dataset.layout:
        return dataset.validation, f"validation photos of {data}"
    return sorted(dataset.files(), key=str), f"all photos of {data}"


def score_each(
    request: Request, files: Sequence[ImageSource], score: Callable[[int, ImageSource], Item]
) -> tuple[list[Item], list[str]]:
    """Call `score` with the number and the path of each file.

    Returns:
        The scores, and for each file that raised a DataError the reason why it is skipped.

    Raises:
        DataError: all files are skipped.
    """
    items: list[Item] = []
    skipped = []
    for number, path in enumerate(files):
        request.progress(number, len(files))
        try:
            items.append(score(number, path))
        except DataError as error:
            name = printable_path(str(path))
            skipped.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    if not items:
        raise DataError(
            f"none of the {len(files)} images can be scored; the first: {skipped[0]};"
            f" translate data check {request.data} lists all"
        )
    return items, skipped


def average_rows(image_scores: Iterable[RowScores], groups: Sequence[str] = ("",)) -> list[Row]:
    """Average the scores of all images into rows, which are sorted by the order of `groups`."""
    rows: dict[tuple[str, str], list[ImageScores]] = defaultdict(list)
    for scores in image_scores:
        for row, row_scores in scores.items():
            rows[row].append(row_scores)
    return [_average(*row, rows[row]) for row in sorted(rows, key=lambda row: groups.index(row[0]))]


def _average(group: str, row_name: str, image_scores: Sequence[ImageScores]) -> Row:
    means: dict[str, float | None] = {
        name: fmean(scores.values[name] for scores in image_scores) for name in image_scores[0].values
    }
    if TRUE_COLORFULNESS in means:
        means["colorfulness-share"] = ratio(means["colorfulness"], means.pop(TRUE_COLORFULNESS))
    if len(image_scores[0].features):
        means["frechet"] = frechet_or_none(
            [scores.features for scores in image_scores], [scores.true_features for scores in image_scores]
        )
    return Row(group, row_name, len(image_scores), means)


def crop_photo(photo: Pixels) -> Pixels:
    """Crop the center of a photo, 256 x 256 at most; a shorter side over 256 is first scaled down to 256."""
    return np.ascontiguousarray(resize_and_center_crop(photo, SIDE, enlarge=False))


def to_rgb(pixels: Pixels) -> Pixels:
    """Convert the output of a model, which may be gray, to (H, W, 3)."""
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)
