"""Score models that translate between two domains: by pairs, or as sets where there are no pairs."""

from __future__ import annotations

from collections.abc import Mapping

from translate.config import ModelConfig
from translate.data.discovery.find import find_paired, find_unpaired
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.errors import UsageError
from translate.evaluation.photos import RowScores, rows_of, score_each, to_rgb
from translate.evaluation.scoring import Request, Row, SuiteResult, distance
from translate.images import Pixels, read_rgb, resize
from translate.inference import Predictor
from translate.metrics.frechet import Features

HALVES = "the model does not know whether it was trained on pairs: each file is taken for one, A|B"


def fits_pairs(config: ModelConfig, data: str) -> bool:
    """Return whether to score by pairs: as the model was trained or, if it does not know, as the data is.

    Data has pairs where files of its folders A and B share a stem. Where there are no such folders, its files
    are taken for joined ones, A|B.
    """
    if config.paired is not None:
        return config.paired
    try:
        find_paired(data, None, None)
    except UsageError:
        return False
    return True


def evaluate_pairs(predictors: Mapping[str, Predictor], r: Request) -> SuiteResult:
    """Score images whose true translation is known; the rows have groups where the model has directions.

    Raises:
        UsageError: there are no pairs.
        DataError: none of them can be scored.
    """
    dataset = find_paired(r.data, None, None)
    pairs = dataset.validation or dataset.train
    groups = {
        name: _group(one.config, name) if len(predictors) > 1 else "" for name, one in predictors.items()
    }

    def score(number: int, path: ImageSource) -> RowScores:
        sides = read_pair(pairs[number])
        scores: RowScores = {}
        for direction, predictor in predictors.items():
            source, truth = in_direction(sides, predictor.config, direction)
            for name, image in (("untranslated", source), ("model", to_rgb(predictor(source)))):
                scores[groups[direction], name] = r.scorer(image, truth)
        return scores

    image_scores, left_out = score_each(r, [pair.a for pair in pairs], score)
    which = "held-out" if dataset.validation else "all"
    protocol = {"images": f"{which} pairs of {r.data}, at their own size"}
    rows = rows_of(image_scores, list(groups.values()))
    notes = list(dataset.notes)
    # Single photos are cut in half like joined pairs, and no score shows it: the person must know.
    if any(pair.b is None for pair in pairs) and any(p.config.paired is None for p in predictors.values()):
        notes.append(HALVES)
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), left_out=left_out, notes=notes)


def evaluate_unpaired(predictors: Mapping[str, Predictor], r: Request) -> SuiteResult:
    """Score translated images against the true ones of their domain, as sets, in each direction.

    Raises:
        UsageError: there are no two folders.
        DataError: none of their images can be read.
    """
    dataset = find_unpaired(r.data, None, None)
    a, b = (validation or train for validation, train in zip(dataset.validation, dataset.train, strict=True))
    truth: tuple[list[Features], list[Features]] = ([], [])
    translations: dict[str, list[Features]] = {direction: [] for direction in predictors}
    ends = {direction: _ends(predictor.config, direction) for direction, predictor in predictors.items()}

    def take_features(number: int, path: ImageSource) -> None:
        image, side = read_rgb(path), 0 if number < len(a) else 1
        for direction, predictor in predictors.items():
            if ends[direction][0] == side:
                translations[direction].append(r.scorer.features(to_rgb(predictor(image))))
        truth[side].append(r.scorer.features(image))

    images, left_out = score_each(r, a + b, take_features)
    rows = []
    for direction, answers in translations.items():
        source, target = ends[direction]
        for name, features in (("untranslated", truth[source]), ("model", answers)):
            values = {"frechet": distance(features, truth[target])}
            rows.append(Row(_group(predictors[direction].config, direction), name, len(features), values))
    protocol = {"images": f"held-out images of {r.data}, at their own size"}
    return SuiteResult(
        rows=rows, protocol=protocol, images=len(images), left_out=left_out, notes=dataset.notes
    )


def _group(config: ModelConfig, direction: str) -> str:
    route = config.routes[direction]
    return f"{route.source} to {route.target}"


def _ends(config: ModelConfig, direction: str) -> tuple[int, int]:
    """Return at which sides of the data, A being 0 and B 1, a direction begins and ends."""
    route = config.routes[direction]
    assert route.source is not None  # of a translation; only noise has none
    return config.domains.index(route.source), config.domains.index(route.target)


def in_direction(sides: tuple[Pixels, Pixels], config: ModelConfig, direction: str) -> tuple[Pixels, Pixels]:
    """Return what is translated of a pair, and its truth."""
    source, target = _ends(config, direction)
    return sides[source], sides[target]


def read_pair(pair: Pair) -> tuple[Pixels, Pixels]:
    """Read a pair, (A, B); B is brought to A's size, as in training.

    Raises:
        DataError: a file of it is no image.
    """
    a = read_rgb(pair.a)
    half = a.shape[1] // 2
    a, b = (a[:, :half], a[:, half : 2 * half]) if pair.b is None else (a, read_rgb(pair.b))
    return a, resize(b, *a.shape[:2])
