"""How well a model from noise does: how alike its samples and the data are, and of which class they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from translate.config import ModelConfig
from translate.config.model import FROM_NOISE
from translate.data.classes import Classed, find_classed
from translate.data.kept import fitted
from translate.errors import DataError, UsageError
from translate.images import Pixels
from translate.inference import Sampler
from translate.metrics.classifier import Classifier, Labels
from translate.models import Model
from translate.tasks.scoring import Critic, Evaluation, Row, distance, share_of
from translate.trainers.noise import fresh_generator

MOST = 2000  # samples of a row, and pictures of the data that they are compared with
LEAST, LEARNT_FROM = 100, 20_000  # pictures that teach the classifier
SEED = 0
UNTRAINED = "untrained"


def untrained(c: ModelConfig) -> Model:
    """A model of the same networks with weights from which training starts, the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return Model(c, {FROM_NOISE: fresh_generator(c.generator)})


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """Which models are to be scored by their samples.

    Attributes:
        samplers: of one recipe, by the names of their rows; `untrained` is what others are a share of.
        data: the folder of the data, or its name.
        scores: of `frechet` and `class`.
        progress: is told how many pictures are done, of how many.
    """

    samplers: Mapping[str, Sampler]
    data: str
    critic: Critic
    scores: Sequence[str]
    progress: Callable[[float, int], None] = lambda done, total: None

    @property
    def config(self) -> ModelConfig:
        return next(iter(self.samplers.values())).config

    def done(self, sets: float, count: int) -> None:
        """So many sets of pictures are: the data, what the classifier takes, and the rows."""
        self.progress(sets * count, (2 + len(self.samplers)) * count)


def from_noise(r: SampleRequest) -> Evaluation:
    """A row for each model.

    Raises:
        UsageError: there is no such data, or the class alone is asked for, and cannot be told.
        DataError: fewer than two pictures of it can be read.
    """
    found = find_classed(r.data, with_classes=False)
    left_out: list[str] = []
    expected = min(MOST, len(found.pictures))
    true = []
    for place, (_, picture) in enumerate(_pictures(found, r.config, MOST, left_out)):
        true.append(r.critic.features(picture))
        r.done(place / expected, expected)
    if len(true) < 2:
        raise DataError(f"{r.data} has fewer than 2 pictures that can be read: give more")
    count = len(true)
    classifier: Classifier | None = None
    protocol: dict[str, str] = {}
    notes: list[str] = []
    if "class" in r.scores:
        try:
            classifier, protocol = _taught(r, count)
        except UsageError as error:
            if list(r.scores) == ["class"]:
                raise
            notes = [f"the class is left out: {error}"]
    rows: list[Row] = []
    for number, (name, sampler) in enumerate(r.samplers.items(), 2):
        made, samples = [], []
        for place, inputs in enumerate(sampler.draw(count, SEED)):
            samples += sampler(inputs[None])
            made.append(r.critic.features(samples[-1]))
            r.done(number + place / count, count)
        values: dict[str, float | None] = {}
        if "frechet" in r.scores:
            values["frechet"] = distance(made, true)
            values["untrained-share"] = share_of(
                values["frechet"], rows[0].values["frechet"] if rows else None
            )
        if classifier:
            values["class"] = of_their_class(classifier(samples), r.config)
        rows.append(Row("", name, count, values))
    which = f"{count} of {len(found.pictures)} pictures of {r.data}, as in training"
    protocol = {"pictures": f"{which}; as many samples of seed {SEED}", **protocol}
    return Evaluation(rows, protocol, count, left_out, notes)


def _pictures(found: Classed, c: ModelConfig, most: int, left_out: list[str]) -> Iterator[tuple[int, Pixels]]:
    """Pictures of the data with their numbers, taken evenly from all, as the model was shown them."""
    for number in np.linspace(0, len(found.pictures) - 1, min(most, len(found.pictures))).astype(int):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
                side = c.trained_on["image_size"]
                picture = fitted(found.pixels(number, side), side)
        except DataError as error:
            left_out.append(str(error))
            continue
        if c.generator.out_channels == 1:
            picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        yield int(number), np.asarray(picture, np.uint8)


def _taught(r: SampleRequest, count: int) -> tuple[Classifier, dict[str, str]]:
    """A classifier that knows the data's classes, and its protocol.

    Raises:
        UsageError: the data has no classes, or one, or others than the model, or few pictures.
    """
    found = find_classed(r.data, with_classes=True)
    if r.config.classes not in ([], found.classes):
        raise UsageError(f"{r.data} has other classes than the model")
    if len(found.classes) < 2 or len(found.pictures) < LEAST:
        raise UsageError(f"{r.data} has {found.summary}: 2 classes and {LEAST} pictures at least")
    numbers, pictures = zip(*_pictures(found, r.config, LEARNT_FROM, []), strict=True)
    classifier = Classifier(
        pictures,
        [found.labels[number] for number in numbers],
        len(found.classes),
        lambda done, total: r.done(1 + done / total, count),
    )
    asked = "the class asked for" if r.config.classes else "the class that goes best with their category"
    told = (
        f"share of samples that are of {asked}, to a small network taught by {len(pictures)} pictures of the"
        f" data but one in ten, of which it is right on {classifier.accuracy:.0%}"
    )
    return classifier, {"class": told}


def of_their_class(found: Labels, c: ModelConfig) -> float:
    """The share of samples, as `draw` orders them, that were found to be of their class.

    That is the class asked for; of a model that found its categories itself, the class that stands for
    the category, each class for one category at most, in the best of all ways.
    """
    if c.classes:
        return float((found == np.arange(len(found)) % len(c.classes)).mean())
    counts = np.zeros((c.categories, int(found.max()) + 1), int)
    np.add.at(counts, (np.arange(len(found)) % c.categories, found), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(found))
