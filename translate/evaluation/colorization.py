"""Score models that colorize photos."""

from __future__ import annotations

from collections.abc import Mapping

from translate.data.discovery.location import ImageSource
from translate.evaluation.photos import (
    CROP,
    RowScores,
    average_rows,
    crop_photo,
    find_photos_to_score,
    score_each,
    value_ranges,
)
from translate.evaluation.scoring import Request, SuiteResult, ratio
from translate.images import Pixels, read_rgb
from translate.images.color.lab import join_lab, split_lab
from translate.images.tensors import to_pixels, to_tensor
from translate.inference import Predictor


def evaluate_colorization(predictors: Mapping[str, Predictor], request: Request) -> SuiteResult:
    """Score the photos that a model colorized, beside their gray versions as the baseline.

    Raises:
        UsageError: there are no photos.
        DataError: no photo can be scored.
    """
    predictor, *_ = predictors.values()
    files, description = find_photos_to_score(request.data)
    value_range = value_ranges(predictors)[0]

    def score(number: int, path: ImageSource) -> RowScores:
        truth = crop_photo(read_rgb(path, value_range=value_range))
        images = {"gray": to_gray(truth), "model": predictor(truth)}
        return {("", name): request.scorer(image, truth) for name, image in images.items()}

    image_scores, skipped = score_each(request, files, score)
    rows = average_rows(image_scores)
    for row in rows if "frechet" in rows[0].values else []:
        row.values["frechet-share"] = ratio(row.values["frechet"], rows[0].values["frechet"])
    protocol = {"images": f"{description}; {CROP}"}
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), skipped=skipped)


def to_gray(image: Pixels) -> Pixels:
    """Remove the colour of an image: keep its lightness L of Lab and set a and b to 0; (H, W, 3)."""
    lightness, chroma = split_lab(to_tensor(image))
    return to_pixels(join_lab(lightness, 0 * chroma)[0])
