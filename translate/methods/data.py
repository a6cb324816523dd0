"""Datasets that several methods share: pairs, two unpaired domains, and photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from translate.config import AdversarialConfig, PhotoTrainConfig, TranslationConfig
from translate.config.training.small_data import SMALL_DATA_IMAGES
from translate.config.value_range import AUTO
from translate.data.datasets.reader import (
    ImageReader,
    file_errors,
    find_gray,
    open_training_cache,
    read_some,
)
from translate.data.datasets.samples import PairedDataset, PhotoDataset, SampleDataset, UnpairedDataset
from translate.data.discovery.check import exclude_unreadable
from translate.data.discovery.find import find_paired, find_photos, find_unpaired
from translate.data.discovery.location import ImageSource, left_out_notes
from translate.data.discovery.pair import Pair
from translate.data.discovery.split import fingerprint, plural
from translate.data.discovery.values import BLANK_CHECKS, find_value_ranges, refuse_blank
from translate.methods.task import DomainImages, TaskData


def paired_data(c: TranslationConfig) -> TaskData:
    """Find a dataset of pairs; its samples are `a`, the input, and `b`, the target."""
    images = find_paired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    pairs = images.train + images.validation
    values = find_value_ranges(
        c.range, [pair.a for pair in pairs], [pair.b for pair in pairs if pair.b is not None]
    )
    is_new, c = c.range == AUTO, c.replace(range=values.text)
    cache = open_training_cache(images.train, c, values.by_file)
    images = exclude_unreadable(images, file_errors(cache), values.by_file)
    reader: ImageReader[Pair] = ImageReader(c, training=True, ranges=values.by_file, cache=cache)
    if is_new:
        is_joined = any(pair.b is None for pair in pairs)
        refuse_blank(read_some(images.train, reader, BLANK_CHECKS), "" if is_joined else "AB")
    swap = c.direction == "BtoA"
    gray = find_gray(images.train, reader) if needs_channels(c) else (False, False)
    c, channel_notes = choose_channels(c, *(reversed(gray) if swap else gray))
    return TaskData(
        train=PairedDataset(images.train, c, training=True, swap=swap, ranges=values.by_file, cache=cache),
        validation=PairedDataset(
            images.validation or images.train, c, training=False, swap=swap, ranges=values.by_file
        ),
        summary=images.summary,
        notes=[
            *images.messages,
            *left_out_notes(c.data, c.domain_a, c.domain_b),
            *values.notes,
            *channel_notes,
        ],
        hints=small_data_hints(c, {"pair": len(images.train)}),
        fingerprint=fingerprint(images),
        settings={"in_channels": c.in_channels, "out_channels": c.out_channels, "range": c.range},
        facts={"joined": images.is_joined},
    )


def unpaired_data(c: TranslationConfig) -> TaskData:
    """Find a dataset of two domains; its samples are `a` and `b`, an image of each, unpaired."""
    images = find_unpaired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    (a, b), (validation_a, validation_b) = images.train, images.validation
    values = find_value_ranges(c.range, [*a, *validation_a], [*b, *validation_b])
    is_new, c = c.range == AUTO, c.replace(range=values.text)
    cache = open_training_cache([*a, *b], c, values.by_file)
    images = exclude_unreadable(images, file_errors(cache), values.by_file)
    (a, b), (validation_a, validation_b) = images.train, images.validation
    reader: ImageReader[ImageSource] = ImageReader(c, training=True, ranges=values.by_file, cache=cache)
    for name, domain in (("A", a), ("B", b)) if is_new else ():
        refuse_blank(read_some(domain, reader, BLANK_CHECKS), name)
    # Both generators have one architecture, and see the images of both domains (the identity loss).
    gray = needs_channels(c) and all(all(find_gray(domain, reader)) for domain in (a, b))
    c, channel_notes = choose_channels(c, gray, gray)

    def photos(files: list[ImageSource]) -> PhotoDataset:
        return PhotoDataset(files, c, training=False, ranges=values.by_file)

    return TaskData(
        train=UnpairedDataset((a, b), c, training=True, ranges=values.by_file, cache=cache),
        validation=UnpairedDataset(
            (validation_a or a, validation_b or b), c, training=False, ranges=values.by_file
        ),
        summary=images.summary,
        notes=[
            *images.messages,
            *left_out_notes(c.data, c.domain_a, c.domain_b),
            *values.notes,
            *channel_notes,
        ],
        hints=small_data_hints(c, {"image of A": len(a), "image of B": len(b)}),
        fingerprint=fingerprint(images),
        settings={"in_channels": c.in_channels, "out_channels": c.out_channels, "range": c.range},
        domains={
            "A": DomainImages(photos(a), photos(validation_a or a)),
            "B": DomainImages(photos(b), photos(validation_b or b)),
        },
    )


def needs_channels(c: TranslationConfig) -> bool:
    """Return whether the images decide how many channels the networks have."""
    return None in (c.in_channels, c.out_channels)


def choose_channels(
    c: TranslationConfig, input_is_gray: bool, output_is_gray: bool
) -> tuple[TranslationConfig, list[str]]:
    """Return the settings with the channels of the networks, and a note if they are not 3.

    Channels that the settings do not give are 1 for images that are gray. The settings of a run that starts
    from a model (`--init`) give those of the model.
    """
    gray = (input_is_gray and not c.in_channels, output_is_gray and not c.out_channels)
    found = 1 if gray[0] else 3, 1 if gray[1] else 3
    c = c.replace(in_channels=c.in_channels or found[0], out_channels=c.out_channels or found[1])
    if not any(gray):
        return c, []
    which = {(True, False): " of the input", (False, True): " of the target"}.get(gray, "")
    channels = "1 channel" if c.channels == (1, 1) else "{} -> {} channels".format(*c.channels)
    return c, [
        f"the images{which} are gray: training {channels} (--in-channels 3 --out-channels 3 trains RGB)"
    ]


def small_data_hints(c: AdversarialConfig, counts: Mapping[str, int]) -> list[str]:
    """Return a hint to `--small-data`, if there are few images and nothing is chosen for them.

    Args:
        counts: the number of training images of each domain, by the name of one: `image of A`.
    """
    is_small = 1 < min(counts.values()) < SMALL_DATA_IMAGES
    if not is_small or not c.has_discriminator or c.small_data or c.diffaugment or c.ada:
        return []
    found = " and ".join(f"{count} {plural(name)}" for name, count in counts.items())
    return [
        f"{found} to train on: the discriminator may learn so few by heart; --small-data is for fewer than"
        f" {SMALL_DATA_IMAGES}"
    ]


def photo_data(c: PhotoTrainConfig, dataset: Callable[..., SampleDataset]) -> TaskData:
    """Find a dataset of photos.

    Args:
        dataset: the class of its samples: `PhotoDataset` or a subclass.
    """
    images = find_photos(c.data, cache_size=c.cache_size)
    values = find_value_ranges(c.range, images.files())
    is_new, c = c.range == AUTO, c.replace(range=values.text)
    cache = open_training_cache(images.train, c, values.by_file)
    images = exclude_unreadable(images, file_errors(cache), values.by_file)
    if is_new:
        reader: ImageReader[ImageSource] = ImageReader(c, training=True, ranges=values.by_file, cache=cache)
        refuse_blank(read_some(images.train, reader, BLANK_CHECKS))
    return TaskData(
        train=dataset(images.train, c, training=True, ranges=values.by_file, cache=cache),
        validation=dataset(images.validation or images.train, c, training=False, ranges=values.by_file),
        summary=images.summary,
        notes=[*images.messages, *left_out_notes(c.data), *values.notes],
        hints=small_data_hints(c, {"photo": len(images.train)}),
        fingerprint=fingerprint(images),
        settings={"range": c.range},
    )
