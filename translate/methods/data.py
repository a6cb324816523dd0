"""Datasets that several methods share: pairs, two unpaired domains, and photos."""

from __future__ import annotations

from collections.abc import Callable

from translate.config import PhotoTrainConfig, TranslationConfig
from translate.data.datasets.reader import file_errors, open_training_cache
from translate.data.datasets.samples import PairedDataset, SampleDataset, UnpairedDataset
from translate.data.discovery.check import exclude_unreadable
from translate.data.discovery.find import find_paired, find_photos, find_unpaired
from translate.data.discovery.location import left_out_notes
from translate.data.discovery.split import fingerprint
from translate.methods.task import TaskData


def paired_data(c: TranslationConfig) -> TaskData:
    """Find a dataset of pairs; its samples are `a`, the input, and `b`, the target."""
    images = find_paired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    cache = open_training_cache(images.train, c)
    images = exclude_unreadable(images, file_errors(cache))
    swap = c.direction == "BtoA"
    return TaskData(
        train=PairedDataset(images.train, c, training=True, swap=swap, cache=cache),
        validation=PairedDataset(images.validation or images.train, c, training=False, swap=swap),
        summary=images.summary,
        notes=[*images.notes, *left_out_notes(c.data, c.domain_a, c.domain_b)],
        fingerprint=fingerprint(images),
    )


def unpaired_data(c: TranslationConfig) -> TaskData:
    """Find a dataset of two domains; its samples are `a` and `b`, an image of each, unpaired."""
    images = find_unpaired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    cache = open_training_cache([*images.train[0], *images.train[1]], c)
    images = exclude_unreadable(images, file_errors(cache))
    (a, b), (validation_a, validation_b) = images.train, images.validation
    return TaskData(
        train=UnpairedDataset((a, b), c, training=True, cache=cache),
        validation=UnpairedDataset((validation_a or a, validation_b or b), c, training=False),
        summary=images.summary,
        notes=[*images.notes, *left_out_notes(c.data, c.domain_a, c.domain_b)],
        fingerprint=fingerprint(images),
    )


def photo_data(c: PhotoTrainConfig, dataset: Callable[..., SampleDataset]) -> TaskData:
    """Find a dataset of photos.

    Args:
        dataset: the class of its samples: `PhotoDataset` or a subclass.
    """
    images = find_photos(c.data, cache_size=c.cache_size)
    cache = open_training_cache(images.train, c)
    images = exclude_unreadable(images, file_errors(cache))
    return TaskData(
        train=dataset(images.train, c, training=True, cache=cache),
        validation=dataset(images.validation or images.train, c, training=False),
        summary=images.summary,
        notes=[*images.notes, *left_out_notes(c.data)],
        fingerprint=fingerprint(images),
    )
