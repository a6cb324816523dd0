"""Score models that fill holes in photos."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from translate.data.discovery.location import ImageSource
from translate.evaluation.holes import (
    ALL,
    BASELINES,
    DRAWN_PROTOCOL,
    FILES_PROTOCOL,
    OVER,
    SIZE_CLASSES,
    UNDER,
    Filler,
    draw_holes,
    read_holes,
)
from translate.evaluation.photos import (
    CROP,
    RowScores,
    average_rows,
    crop_photo,
    find_photos_to_score,
    score_each,
    value_ranges,
)
from translate.evaluation.scoring import Request, SuiteResult
from translate.images import printable_path, read_rgb
from translate.inference import Predictor


def evaluate_inpainting(predictors: Mapping[str, Predictor], request: Request) -> SuiteResult:
    """Score the photos whose holes a model filled, in a row for each size of hole and one for all sizes.

    Raises:
        UsageError: there are no photos, or no masks.
        DataError: no photo can be scored, or no mask can be used.
    """
    predictor, *_ = predictors.values()
    files, description = find_photos_to_score(request.data)
    value_range = value_ranges(predictors)[0]
    notes: list[str] = []
    holes_of_photo = read_holes(request.masks, notes) if request.masks else draw_holes
    holes = f"{FILES_PROTOCOL} {printable_path(request.masks)}" if request.masks else DRAWN_PROTOCOL
    fillers: dict[str, Filler] = {"model": predictor, **(BASELINES if request.baselines else {})}

    def score(number: int, path: ImageSource) -> RowScores:
        truth = crop_photo(read_rgb(path, value_range=value_range))
        fills = [(*hole, name) for hole in holes_of_photo(number, truth.shape[:2]) for name in fillers]
        scores: RowScores = {}
        for done, (size, hole, name) in enumerate(fills):
            request.progress(number + done / len(fills), len(files))
            # Black out the hole, so that no filler can see what was in it.
            holed = np.where(hole[..., None], np.uint8(0), truth)
            scores[size, name] = request.scorer(fillers[name](holed, hole), truth, hole)
        return scores

    image_scores, skipped = score_each(request, files, score)
    over_all_sizes = [
        {(ALL, name): values} for scores in image_scores for (_, name), values in scores.items()
    ]
    rows = average_rows(image_scores + over_all_sizes, (UNDER, *SIZE_CLASSES, OVER, ALL))
    protocol = {"images": f"{description}; {CROP}", "holes": holes}
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), skipped=skipped, notes=notes)
