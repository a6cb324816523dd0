"""Score models that colour photos."""

from __future__ import annotations

from collections.abc import Mapping

from translate.data.discovery.location import ImageSource
from translate.evaluation.photos import CROP, RowScores, crop, photos_to_score, rows_of, score_each
from translate.evaluation.scoring import Request, SuiteResult, share_of
from translate.images import Pixels, read_rgb
from translate.images.color.lab import join_lab, split_lab
from translate.images.tensors import to_pixels, to_tensor
from translate.inference import Predictor


def evaluate_colorization(predictors: Mapping[str, Predictor], r: Request) -> SuiteResult:
    """Score photos that a model coloured anew, beside the photos without colour.

    Raises:
        UsageError: there are no photos.
        DataError: none of them can be image_scores.
    """
    predictor, *_ = predictors.values()
    files, which = photos_to_score(r.data)

    def score(number: int, path: ImageSource) -> RowScores:
        truth = crop(read_rgb(path))
        images = {"gray": gray(truth), "model": predictor(truth)}
        return {("", name): r.scorer(image, truth) for name, image in images.items()}

    image_scores, left_out = score_each(r, files, score)
    rows = rows_of(image_scores)
    for row in rows if "frechet" in rows[0].values else []:
        row.values["frechet-share"] = share_of(row.values["frechet"], rows[0].values["frechet"])
    protocol = {"images": f"{which}; {CROP}"}
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), left_out=left_out)


def gray(image: Pixels) -> Pixels:
    """Return an image's lightness in Lab, a and b being 0; (H, W, 3)."""
    light, chroma = split_lab(to_tensor(image))
    return to_pixels(join_lab(light, 0 * chroma)[0])
