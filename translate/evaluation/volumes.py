"""Score models that generate volumes: coverage of held-out shapes, copies, and samples in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from translate.data.volumes import VolumeDataset, read_volumes
from translate.errors import DataError
from translate.evaluation.scoring import Request, Row, SuiteResult, ratio
from translate.inference.predictors.volumes.sampler import OCCUPIED, VolumeSampler
from translate.metrics.volumes import coverage, is_connected, jaccard_distances

SEED = 0  # Of the samples.

Volumes = NDArray[np.bool_]  # (N, S, S, S)


def evaluate_volumes(samplers: Mapping[str, VolumeSampler], request: Request) -> SuiteResult:
    """Score as many samples of each sampler as there are held-out shapes.

    The first two rows are baselines: the held-out shapes themselves, and as many training shapes, which are
    what a model that copies would generate.

    Raises:
        UsageError: the data is missing.
        DataError: no held-out shape can be read.
    """
    size = next(iter(samplers.values())).config.volume_size
    data = read_volumes(request.data, size)
    count = len(data.validation)
    if not count:
        raise DataError(f"{request.data} has no held-out volumes: add volumes, or a folder val/ of them")
    held_out = np.stack([*data.validation.volumes()])
    sets: dict[str, Volumes] = {
        "held-out": held_out,
        "training": np.stack([*data.train.spread(count)]),
    }
    rows: list[Row] = []
    for done, name in enumerate([*sets, *samplers]):
        request.progress(done, 2 + len(samplers))
        volumes = sets[name] if name in sets else _sample(samplers[name], count)
        values = _score(volumes, held_out, data.train, request.scores, is_held_out=not done)
        if "nearest" in values:
            of_held_out = (rows[0].values if rows else values)["nearest"]
            values["nearest-share"] = ratio(values["nearest"], of_held_out)
        rows.append(Row("", name, count, values))
    protocol = (
        f"{count} held-out volumes of {request.data}, {size} voxels a side, and {len(data.train)} training"
        f" volumes; as many samples as held-out volumes, seed {SEED}, occupied from {OCCUPIED} on"
    )
    return SuiteResult(
        rows=rows, protocol={"volumes": protocol}, images=count, skipped=data.errors, notes=data.notes
    )


def _sample(sampler: VolumeSampler, count: int) -> Volumes:
    return np.stack(sampler(sampler.draw(count, SEED))) >= OCCUPIED


def _score(
    volumes: Volumes, held_out: Volumes, train: VolumeDataset, scores: Iterable[str], *, is_held_out: bool
) -> dict[str, float | None]:
    """Return the requested scores of a set of volumes; held-out shapes have no coverage of themselves."""
    values: dict[str, float | None] = {}
    if "coverage" in scores:
        values["coverage"] = None if is_held_out else coverage(jaccard_distances(volumes, held_out))
    if "nearest" in scores:
        distances = jaccard_distances(volumes, train.volumes())
        values["nearest"] = float(distances.min(axis=1).mean())
    if "connected" in scores:
        values["connected"] = float(np.mean([*map(is_connected, volumes)]))
    return values
