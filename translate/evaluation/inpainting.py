"""Score models that fill holes in photos."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from translate.data.discovery.location import ImageSource
from translate.evaluation.holes import (
    ALL,
    BASELINES,
    DRAWN,
    FROM_FILES,
    OVER,
    SIZE_CLASSES,
    UNDER,
    Filler,
    draw_holes,
    holes_from_files,
)
from translate.evaluation.photos import CROP, RowScores, crop, photos_to_score, rows_of, score_each
from translate.evaluation.scoring import Request, SuiteResult
from translate.images import printable_path, read_rgb
from translate.inference import Predictor


def evaluate_inpainting(predictors: Mapping[str, Predictor], r: Request) -> SuiteResult:
    """Score photos whose holes a model filled, by the size of the hole.

    Raises:
        UsageError: there are no photos, or no masks.
        DataError: none of them can be used.
    """
    predictor, *_ = predictors.values()
    files, which = photos_to_score(r.data)
    notes: list[str] = []
    holes = holes_from_files(r.masks, notes) if r.masks else draw_holes
    origin = f"{FROM_FILES} {printable_path(r.masks)}" if r.masks else DRAWN
    fillers: dict[str, Filler] = {"model": predictor, **(BASELINES if r.baselines else {})}

    def score(number: int, path: ImageSource) -> RowScores:
        truth = crop(read_rgb(path))
        fills = [(*hole, name) for hole in holes(number, truth.shape[:2]) for name in fillers]
        scores: RowScores = {}
        for done, (size, hole, name) in enumerate(fills):
            r.progress(number + done / len(fills), len(files))
            holed = np.where(hole[..., None], np.uint8(0), truth)  # no filler may see what is in the hole
            scores[size, name] = r.scorer(fillers[name](holed, hole), truth, hole)
        return scores

    image_scores, left_out = score_each(r, files, score)
    of_all_sizes = [{(ALL, name): one} for scores in image_scores for (_, name), one in scores.items()]
    rows = rows_of(image_scores + of_all_sizes, (UNDER, *SIZE_CLASSES, OVER, ALL))
    protocol = {"images": f"{which}; {CROP}", "holes": origin}
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), left_out=left_out, notes=notes)
