"""Recognize joined A|B files among the inputs of a model that was trained on such files."""

from __future__ import annotations

from collections.abc import Sequence

from translate.data.discovery.pair import has_joined_shape
from translate.images import read_size
from translate.inference.batch.plan import Job
from translate.inference.predictors.base import Predictor


def describe_joined(predictor: Predictor, jobs: Sequence[Job]) -> str:
    """Return a line on images of the shape of joined files, which are translated whole; empty without any.

    Only a model that was trained on joined files expects them; for others, such images are panoramas.
    """
    config = predictor.config
    if not config.trained_on.get("joined"):
        return ""
    sizes = [size for job in jobs if (size := read_size(job.source))]
    count = sum(map(has_joined_shape, sizes))
    if not count:
        return ""
    half = "left" if config.routes[predictor.direction].source == config.domains[0] else "right"
    return (
        f"{count} of {len(jobs)} images {'is' if count == 1 else 'are'} about twice as wide as high, like the"
        f" joined A|B files that the model was trained on, and translated whole: --half {half} translates the"
        f" {half} half, the model's input"
    )
