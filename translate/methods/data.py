"""Data sets that several methods share: pairs, two domains, photos."""

from __future__ import annotations

from collections.abc import Callable

from translate.config import PhotoTrainConfig, TranslationConfig
from translate.data.datasets.reader import file_errors, training_cache
from translate.data.datasets.samples import PairedDataset, SampleDataset, UnpairedDataset
from translate.data.discovery.check import without_unreadable
from translate.data.discovery.find import find_paired, find_photos, find_unpaired
from translate.data.discovery.split import fingerprint
from translate.methods.task import TaskData


def paired_data(c: TranslationConfig) -> TaskData:
    """Find pairs; the samples are `a`, which is translated, and `b`, its truth."""
    found = find_paired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    cache = training_cache(found.train, c)
    found = without_unreadable(found, file_errors(cache))
    swap = c.direction == "BtoA"
    return TaskData(
        train=PairedDataset(found.train, c, training=True, swap=swap, cache=cache),
        validation=PairedDataset(found.validation or found.train, c, training=False, swap=swap),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )


def unpaired_data(c: TranslationConfig) -> TaskData:
    """Find images of two domains; the samples are `a` and `b`, which do not belong together."""
    found = find_unpaired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    cache = training_cache([*found.train[0], *found.train[1]], c)
    found = without_unreadable(found, file_errors(cache))
    (a, b), (validation_a, validation_b) = found.train, found.validation
    return TaskData(
        train=UnpairedDataset((a, b), c, training=True, cache=cache),
        validation=UnpairedDataset((validation_a or a, validation_b or b), c, training=False),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )


def photo_data(c: PhotoTrainConfig, dataset: Callable[..., SampleDataset]) -> TaskData:
    """Find photos; the samples are those of `dataset`, a `PhotoDataset` or one with more in it."""
    found = find_photos(c.data, cache_size=c.cache_size)
    cache = training_cache(found.train, c)
    found = without_unreadable(found, file_errors(cache))
    return TaskData(
        train=dataset(found.train, c, training=True, cache=cache),
        validation=dataset(found.validation or found.train, c, training=False),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )
