"""Go through the images of a data set, and collect their scores: what the suites of images share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np

from translate.data.discovery.find import find_photos
from translate.data.discovery.location import ImageSource, locate_data
from translate.data.discovery.split import VALIDATION_NAMES
from translate.errors import DataError
from translate.evaluation.scoring import (
    TRUE_COLORFULNESS,
    ImageScores,
    Request,
    Row,
    distance,
    share_of,
)
from translate.images import Pixels, printable_path, resize_and_center_crop
from translate.inference import Predictor, load_predictor
from translate.models import Model

SIDE = 256  # pixels of a photo's crop
CROP = f"a shorter side over {SIDE} px scaled down to it by area, then the middle {SIDE} x {SIDE} at most"

Item = TypeVar("Item")
RowScores = dict[tuple[str, str], ImageScores]  # of one image, by group and name of the row


def load_predictors(
    model: Model, folder: Path | None, *, device: str, precision: str
) -> dict[str, Predictor]:
    """Load the predictor of each direction of a model, by torch: another engine rounds otherwise.

    Args:
        folder: where the model was read from; no predictor needs it.
    """
    return {
        direction: load_predictor(
            model, direction=direction, device=device, precision=precision, engine="torch"
        )
        for direction in model.config.routes
    }


def photos_to_score(data: str) -> tuple[list[ImageSource], str]:
    """Find the photos to score by, of a flat folder all of them; and say which they are.

    Raises:
        UsageError: the folder is missing or empty.
    """
    dataset = find_photos(data)
    root = locate_data(data)
    parts = ("train", *VALIDATION_NAMES)
    if dataset.validation and isinstance(root, Path) and any((root / part).is_dir() for part in parts):
        return dataset.validation, f"held-out photos of {data}"
    return sorted(dataset.files(), key=str), f"all photos of {data}"


def score_each(
    r: Request, files: Sequence[ImageSource], score: Callable[[int, ImageSource], Item]
) -> tuple[list[Item], list[str]]:
    """Return what `score` gives for each file, by its number; and why it gave nothing for the others.

    Raises:
        DataError: it gave nothing for any.
    """
    items: list[Item] = []
    left_out = []
    for number, path in enumerate(files):
        r.progress(number, len(files))
        try:
            items.append(score(number, path))
        except DataError as error:
            name = printable_path(str(path))
            left_out.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    if not items:
        raise DataError(f"none of {len(files)} images can be scored; the first: {left_out[0]}")
    return items, left_out


def rows_of(image_scores: Iterable[RowScores], groups: Sequence[str] = ("",)) -> list[Row]:
    """Collect the scores of all images into their rows, the groups in that order."""
    rows: dict[tuple[str, str], list[ImageScores]] = defaultdict(list)
    for scores in image_scores:
        for row, one in scores.items():
            rows[row].append(one)
    return [_row(*row, rows[row]) for row in sorted(rows, key=lambda row: groups.index(row[0]))]


def _row(group: str, name: str, image_scores: Sequence[ImageScores]) -> Row:
    means: dict[str, float | None] = {
        s: fmean(one.values[s] for one in image_scores) for s in image_scores[0].values
    }
    if TRUE_COLORFULNESS in means:
        means["colorfulness-share"] = share_of(means["colorfulness"], means.pop(TRUE_COLORFULNESS))
    if len(image_scores[0].features):
        means["frechet"] = distance(
            [one.features for one in image_scores], [one.true_features for one in image_scores]
        )
    return Row(group, name, len(image_scores), means)


def crop(photo: Pixels) -> Pixels:
    """Return the middle of a photo, 256 x 256 at most; a shorter side over 256 is scaled down to it first."""
    return np.ascontiguousarray(resize_and_center_crop(photo, SIDE, enlarge=False))


def to_rgb(pixels: Pixels) -> Pixels:
    """Return a model's answer, which may be gray, as (H, W, 3)."""
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)
