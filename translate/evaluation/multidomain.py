"""Score models that translate between several domains, or set attributes, by target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from translate.config import MultiDomainModelConfig
from translate.config.model import NO_ATTRIBUTES
from translate.config.value_range import BY_TYPE
from translate.data.discovery.labels.domains import MultiDomainImages, find_multidomain
from translate.data.discovery.location import ImageSource
from translate.errors import UsageError, nearest
from translate.evaluation.photos import score_each, to_rgb, value_ranges
from translate.evaluation.scoring import SET_DISTANCES, Request, Row, SuiteResult, compare_sets
from translate.images import Pixels, read_rgb, resize
from translate.inference import Predictor, load_predictor
from translate.metrics.frechet import Features
from translate.models import Model

MODEL, UNTRANSLATED = "model", "untranslated"
PAIRS_NOTE = (
    "files of one name in several domains are taken as one scene: if they are not, PSNR, SSIM and CIEDE2000"
    " have no meaning, and --metrics frechet,kernel leaves them out"
)

Values = Mapping[str, float]  # The scores of an image against its ground truth; empty without one.


@dataclass(frozen=True)
class Group:
    """The translations to one target, or the change of one attribute, which are the rows of a group.

    Attributes:
        sources: the images to translate.
        real: the images that their translations are compared with as a set.
        target: returns the target for a source, as `Predictor.for_target` takes it.
    """

    name: str
    sources: frozenset[ImageSource]
    real: frozenset[ImageSource]
    target: Callable[[ImageSource], str]


@dataclass(frozen=True)
class Scored:
    """The scores of an image as a source of translations.

    Attributes:
        rows: by the names of group and row, the features and scores of the image or of its translation.
    """

    file: ImageSource
    features: Features
    rows: Mapping[tuple[str, str], tuple[Features, Values]]


def load_multi_domain(
    model: Model, folder: Path | None, *, device: str, precision: str
) -> dict[str, Predictor]:
    """Load the predictor of a model of several domains, without a target; as `load_predictors` does."""
    options = {"device": device, "precision": precision, "engine": "torch", "range": BY_TYPE}
    return {MODEL: load_predictor(model, **options)}


def evaluate_multi_domain(predictors: Mapping[str, Predictor], request: Request) -> SuiteResult:
    """Score translations of the images of all other domains, beside the untranslated images as the baseline.

    The set of translations is compared with the real images of the target. Where files of several domains
    share a name, each translation is also compared with the image of that name in its target.

    Raises:
        UsageError: there are no images of several domains of the model, or no scores that apply to them.
        DataError: no image can be scored.
    """
    predictor = predictors[MODEL]
    config = predictor.config
    assert isinstance(config, MultiDomainModelConfig)
    dataset = _find(request, config)
    files = dataset.validation or dataset.train
    truths = _find_truths(request, dataset, files)
    groups = _exclusive_groups(dataset, files) if config.exclusive else _attribute_groups(dataset, files)
    value_range = value_ranges(predictors)[0]

    def score(number: int, file: ImageSource) -> Scored:
        image = read_rgb(file, value_range=value_range)
        features = request.scorer.features(image)
        rows: dict[tuple[str, str], tuple[Features, Values]] = {}
        for group in groups:
            if file not in group.sources:
                continue
            output = to_rgb(predictor.for_target(group.target(file))(image))
            truth_file = truths.get((file, group.name))
            truth = read_rgb(truth_file, value_range=value_range) if truth_file else None
            rows[group.name, UNTRANSLATED] = features, _score(request, image, truth)
            rows[group.name, MODEL] = request.scorer.features(output), _score(request, output, truth)
        return Scored(file, features, rows)

    scored, skipped = score_each(request, files, score)
    return SuiteResult(
        rows=[_average(group, name, scored, request) for group in groups for name in (UNTRANSLATED, MODEL)],
        protocol={"images": _describe(request, dataset, predictor)},
        images=len(scored),
        skipped=skipped,
        notes=[*dataset.notes, *([PAIRS_NOTE] if truths else [])],
    )


def _describe(request: Request, dataset: MultiDomainImages, predictor: Predictor) -> str:
    """Return which images are scored, and the working size at which the network sees them."""
    part = "validation" if dataset.validation else "all"
    size = predictor.working_size
    working_size = f", translated at {size} px as by translate apply" if size else ""
    return f"{part} images of {request.data}, at their own size{working_size}"


def _find(request: Request, config: MultiDomainModelConfig) -> MultiDomainImages:
    """Find the images of a dataset, and check that their domains are those of the model."""
    labels = str(request.labels) if request.labels else None
    if not config.exclusive and labels is None:
        raise UsageError(
            "this model sets attributes, and a table says which an image has: give it with --labels"
        )
    dataset = find_multidomain(request.data, labels, None if config.exclusive else config.domains)
    if dataset.exclusive != config.exclusive:
        raise UsageError(f"{labels} has attributes, and this model has domains: give a table of domains")
    for name in dataset.domains:
        if name not in config.domains:
            raise UsageError(
                f"{request.data}: the model has no domain {name!r}{nearest(name, config.domains)}"
            )
    return dataset


def _exclusive_groups(dataset: MultiDomainImages, files: Sequence[ImageSource]) -> list[Group]:
    """Return a group for each domain, to which the images of the others are translated."""
    return [
        Group(
            f"to {name}",
            frozenset(dataset.with_label(files, name, 0)),
            frozenset(dataset.with_label(files, name)),
            lambda file, name=name: name,  # type: ignore[misc]
        )
        for name in dataset.domains
    ]


def _attribute_groups(dataset: MultiDomainImages, files: Sequence[ImageSource]) -> list[Group]:
    """Return two groups for each attribute, which is switched on or off; an image keeps its others."""

    def target(file: ImageSource, changed: str) -> str:
        labels = zip(dataset.domains, dataset.labels[file], strict=True)
        return ",".join(name for name, value in labels if value != (name == changed)) or NO_ATTRIBUTES

    return [
        Group(
            f"{name} {word}",
            frozenset(dataset.with_label(files, name, 1 - value)),
            frozenset(dataset.with_label(files, name, value)),
            lambda file, name=name: target(file, name),  # type: ignore[misc]
        )
        for name in dataset.domains
        for word, value in (("on", 1), ("off", 0))
    ]


def _find_truths(
    request: Request, dataset: MultiDomainImages, files: Sequence[ImageSource]
) -> dict[tuple[ImageSource, str], ImageSource]:
    """Return the ground truth of images by the name of the group: the file of their name in its domain.

    It is empty if there is none, as for attributes, or if no score needs it.

    Raises:
        UsageError: only scores that need it are requested, and there is none.
    """
    truths = _find_namesakes(dataset, files) if dataset.exclusive and request.scorer.metrics else {}
    if not truths and not set(request.scores) & set(SET_DISTANCES):
        reason = "no names in common across domains" if dataset.exclusive else "attributes, but no true image"
        raise UsageError(
            f"the files of {request.data} have {reason}, so only distances between sets apply: add"
            f" {' or '.join(SET_DISTANCES)} to --metrics, or leave --metrics out"
        )
    return truths


def _find_namesakes(
    dataset: MultiDomainImages, files: Sequence[ImageSource]
) -> dict[tuple[ImageSource, str], ImageSource]:
    """Return for each image and group the only file of its name in the domain of the group."""
    by_stem: dict[str, dict[str, list[ImageSource]]] = defaultdict(lambda: defaultdict(list))
    for name in dataset.domains:
        for file in dataset.with_label(files, name):
            by_stem[Path(str(file)).stem][name].append(file)
    truths: dict[tuple[ImageSource, str], ImageSource] = {}
    for by_domain in by_stem.values():
        unique = {name: found[0] for name, found in by_domain.items() if len(found) == 1}
        for source, file in unique.items():
            truths |= {(file, f"to {name}"): truth for name, truth in unique.items() if name != source}
    return truths


def _score(request: Request, image: Pixels, truth: Pixels | None) -> Values:
    """Score an image against its ground truth, which gets the size of the image; nothing without one."""
    if truth is None:
        return {}
    truth = resize(truth, *image.shape[:2])
    return {name: metric(image, truth, None) for name, metric in request.scorer.metrics.items()}


def _average(group: Group, name: str, scored: Sequence[Scored], request: Request) -> Row:
    """Return the row of a group: the means of the scores, and the distances to the real images.

    A mean is None if no image of the group has a ground truth, and left out if none of all images has.
    """
    has_truths = any(scores for image in scored for _, scores in image.rows.values())
    results = [image.rows[group.name, name] for image in scored if (group.name, name) in image.rows]
    values: dict[str, float | None] = {}
    for score in request.scorer.metrics if has_truths else ():
        each = [scores[score] for _, scores in results if score in scores]
        values[score] = fmean(each) if each else None
    real = [image.features for image in scored if image.file in group.real]
    values |= compare_sets(request.scores, [features for features, _ in results], real)
    return Row(group.name, name, len(results), values)
