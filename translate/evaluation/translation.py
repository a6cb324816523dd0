"""Score models that translate between two domains, on pairs or on two sets of unpaired images."""

from __future__ import annotations

from collections.abc import Mapping

from translate.config import ModelConfig
from translate.config.value_range import ValueRange
from translate.data.discovery.find import UnpairedImages, find_paired, find_unpaired
from translate.data.discovery.location import ImageSource
from translate.data.discovery.pair import Pair
from translate.errors import UsageError
from translate.evaluation.photos import RowScores, average_rows, score_each, to_rgb, value_ranges
from translate.evaluation.scoring import Request, Row, SuiteResult, compare_sets
from translate.images import Pixels, read_rgb, resize
from translate.inference import Predictor
from translate.metrics.frechet import Features

SPLIT_NOTE = (
    "the model does not record whether it was trained on pairs: each file is taken as a pair and split into"
    " its halves A|B; if your files are single photos, give trainA/ and trainB/"
)


def is_paired(config: ModelConfig, data: str) -> bool:
    """Return whether a model is scored on pairs: as it was trained or, if that is unknown, as the data is.

    Data has pairs if files of its folders A and B share a stem, or if it has no such folders: its files are
    then taken as joined A|B images.
    """
    if config.paired is not None:
        return config.paired
    try:
        find_paired(data, None, None)
    except UsageError:
        return False
    return True


def evaluate_pairs(predictors: Mapping[str, Predictor], request: Request) -> SuiteResult:
    """Score translated images against their ground truth, beside the untranslated input as the baseline.

    Rows are grouped by direction if the model has several.

    Raises:
        UsageError: there are no pairs.
        DataError: no pair can be scored.
    """
    dataset = find_paired(request.data, None, None)
    pairs = dataset.validation or dataset.train
    groups = {
        direction: _group(predictor.config, direction) if len(predictors) > 1 else ""
        for direction, predictor in predictors.items()
    }

    ranges = value_ranges(predictors)

    def score(number: int, path: ImageSource) -> RowScores:
        pair = read_pair(pairs[number], *ranges)
        scores: RowScores = {}
        for direction, predictor in predictors.items():
            source, truth = input_and_truth(pair, predictor.config, direction)
            for name, image in (("untranslated", source), ("model", to_rgb(predictor(source)))):
                scores[groups[direction], name] = request.scorer(image, truth)
        return scores

    image_scores, skipped = score_each(request, [pair.a for pair in pairs], score)
    part = "validation" if dataset.validation else "all"
    protocol = {"images": f"{part} pairs of {request.data}, {_describe_size(predictors)}"}
    rows = average_rows(image_scores, list(groups.values()))
    notes = list(dataset.notes)
    # Photos that are no pairs are split in half as well, and no score shows it, so tell the user.
    is_joined = any(pair.b is None for pair in pairs)
    if is_joined and any(predictor.config.paired is None for predictor in predictors.values()):
        notes.append(SPLIT_NOTE)
    return SuiteResult(rows=rows, protocol=protocol, images=len(image_scores), skipped=skipped, notes=notes)


def evaluate_unpaired(predictors: Mapping[str, Predictor], request: Request) -> SuiteResult:
    """Score the set of translated images against the real images of their domain, in each direction.

    Raises:
        UsageError: there are no two folders of images.
        DataError: no image can be read.
    """
    dataset = find_unpaired(request.data, None, None)
    a, b = (validation or train for validation, train in zip(dataset.validation, dataset.train, strict=True))
    real: tuple[list[Features], list[Features]] = ([], [])
    fake: dict[str, list[Features]] = {direction: [] for direction in predictors}
    domains = {
        direction: _domain_indices(predictor.config, direction) for direction, predictor in predictors.items()
    }

    ranges = value_ranges(predictors)

    def extract_features(number: int, path: ImageSource) -> None:
        domain = 0 if number < len(a) else 1
        image = read_rgb(path, value_range=ranges[domain])
        for direction, predictor in predictors.items():
            if domains[direction][0] == domain:
                fake[direction].append(request.scorer.features(to_rgb(predictor(image))))
        real[domain].append(request.scorer.features(image))

    images, skipped = score_each(request, a + b, extract_features)
    rows = []
    for direction, (source, target) in domains.items():
        for name, features in (("untranslated", real[source]), ("model", fake[direction])):
            values = compare_sets(request.scores, features, real[target])
            rows.append(Row(_group(predictors[direction].config, direction), name, len(features), values))
    protocol = {"images": f"{_describe_images(dataset)} of {request.data}, {_describe_size(predictors)}"}
    return SuiteResult(rows=rows, protocol=protocol, images=len(images), skipped=skipped, notes=dataset.notes)


def _describe_images(dataset: UnpairedImages) -> str:
    a, b = ("validation" if images else "all" for images in dataset.validation)
    return f"{a} images" if a == b else f"{a} images of A and {b} images of B"


def _describe_size(predictors: Mapping[str, Predictor]) -> str:
    """Return the size at which images are scored, and the working size at which the network sees them."""
    sizes = {predictor.working_size for predictor in predictors.values()} - {None}
    return "at their own size" + "".join(f", translated at {size} px as by translate apply" for size in sizes)


def _group(config: ModelConfig, direction: str) -> str:
    route = config.routes[direction]
    return f"{route.source} to {route.target}"


def _domain_indices(config: ModelConfig, direction: str) -> tuple[int, int]:
    """Return the indices of a direction's source and target domain, 0 for A and 1 for B."""
    route = config.routes[direction]
    assert route.source is not None  # Only a model that generates from noise has no source domain.
    return config.domains.index(route.source), config.domains.index(route.target)


def input_and_truth(
    pair: tuple[Pixels, Pixels], config: ModelConfig, direction: str
) -> tuple[Pixels, Pixels]:
    """Return the input and the ground truth of a pair (A, B) for a direction."""
    source, target = _domain_indices(config, direction)
    return pair[source], pair[target]


def read_pair(
    pair: Pair, range_a: ValueRange | None = None, range_b: ValueRange | None = None
) -> tuple[Pixels, Pixels]:
    """Read the images (A, B) of a pair; B is resized to the size of A, as in training.

    Args:
        range_a, range_b: the stored values of black and white, where the files' type does not fix them.

    Raises:
        DataError: a file cannot be read.
    """
    a = read_rgb(pair.a, value_range=range_a)
    half = a.shape[1] // 2
    a, b = (
        (a[:, :half], a[:, half : 2 * half]) if pair.b is None else (a, read_rgb(pair.b, value_range=range_b))
    )
    return a, resize(b, *a.shape[:2])
