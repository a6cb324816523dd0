"""The task of StarGAN: a dataset of several domains, or of attributes, and validation in every domain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from translate.config import ModelConfig, MultiDomainModelConfig, Route
from translate.config.value_range import AUTO
from translate.data.datasets.crops import SampleKey
from translate.data.datasets.photos import MultiDomainDataset
from translate.data.datasets.reader import (
    ImageReader,
    file_errors,
    find_gray,
    open_training_cache,
    read_some,
)
from translate.data.datasets.samples import PhotoDataset
from translate.data.discovery.check import exclude_unreadable
from translate.data.discovery.labels import MultiDomainImages, find_multidomain
from translate.data.discovery.location import ImageSource, left_out_notes
from translate.data.discovery.split import fingerprint
from translate.data.discovery.values import BLANK_CHECKS, find_value_ranges, refuse_blank
from translate.errors import UsageError
from translate.images import Pixels, contact_sheet, to_pixels, to_tensor
from translate.methods.models import common_model_fields, data_range
from translate.methods.references import prepare_references
from translate.methods.stargan.config import StarGANConfig, split_attributes
from translate.methods.stargan.trainer import GENERATOR, StarGAN
from translate.methods.task import DomainImages, Task, TaskData, ValidationResult
from translate.methods.unpaired import BEST_KERNEL, Translations, score_translations
from translate.methods.validation import SCORED_IMAGES, SHEET_IMAGES, SHEET_SIDE
from translate.metrics import l1
from translate.models import Model, Precision
from translate.networks import Generator

Image = tuple[Tensor, Tensor]  # An image, (1, C, H, W) in [-1, 1], and its label, (1, domains).


def _data(c: StarGANConfig) -> TaskData:
    """Find a dataset of several domains or of attributes; its samples are `photo` and `label`."""
    names = split_attributes(c.attributes) if c.attributes is not None else None
    images = find_multidomain(c.data, c.labels, names, cache_size=c.cache_size)
    if c.domains not in (None, len(images.domains)):
        raise UsageError(
            f"{c.data_source} has {images.domain_summary}, and the setting domains is {c.domains}: give data"
            f" of {c.domains}, or train a new run without this setting"
        )
    values = find_value_ranges(c.range, images.files())
    is_new, c = c.range == AUTO, c.replace(range=values.text)
    cache = open_training_cache(images.train, c, values.by_file)
    images = exclude_unreadable(images, file_errors(cache), values.by_file)
    images.require_varied_labels()
    reader: ImageReader[ImageSource] = ImageReader(c, training=True, ranges=values.by_file, cache=cache)
    if is_new:
        refuse_blank(read_some(images.train, reader, BLANK_CHECKS))
    channels = c.channels or (1 if all(find_gray(images.train, reader)) else 3)
    validation = images.validation or images.train

    def dataset(files: Sequence[ImageSource], **options: Any) -> MultiDomainDataset:
        return MultiDomainDataset(
            files, images.labels, c, channels=channels, ranges=values.by_file, **options
        )

    return TaskData(
        train=dataset(images.train, training=True, cache=cache),
        validation=dataset(validation, training=False),
        summary=images.summary,
        notes=[*images.messages, *left_out_notes(c.data), *values.notes],
        fingerprint=fingerprint(images, images.label_text()),
        settings={
            "domains": len(images.domains),
            "attributes": None if images.exclusive else ",".join(images.domains),
            "channels": channels,
            "range": c.range,
        },
        facts={"domains": images.domains, "exclusive": images.exclusive},
        domains=_domain_images(images, validation, c, values.by_file) if images.exclusive else {},
    )


def _domain_images(
    images: MultiDomainImages,
    validation: Sequence[ImageSource],
    c: StarGANConfig,
    ranges: Mapping[ImageSource, Any],
) -> dict[str, DomainImages]:
    """Return the images of each domain without augmentation."""

    def photos(files: Sequence[ImageSource], name: str) -> PhotoDataset:
        return PhotoDataset(images.with_label(files, name), c, training=False, ranges=ranges)

    return {
        name: DomainImages(photos(images.train, name), photos(validation, name)) for name in images.domains
    }


def _model(
    c: StarGANConfig, generators: Mapping[str, Generator], facts: Mapping[str, Any]
) -> MultiDomainModelConfig:
    domains = facts["domains"]
    fields = common_model_fields(c, generators, domains)
    (ranges,) = data_range(c, ["image"]).values() or (None,)
    return MultiDomainModelConfig(
        kind="multidomain",
        exclusive=facts["exclusive"],
        routes={name: Route(target=name, generator=GENERATOR) for name in domains},
        in_channels=c.channels or 3,
        out_channels=c.channels or 3,
        paired=False,
        **(fields | {"data_range": dict.fromkeys(domains, ranges) if ranges else {}}),
    )


@torch.no_grad()
def validate(model: Model, data: TaskData, precision: Precision) -> ValidationResult:
    """Show validation images in every domain, and score their reconstruction and the distance to each domain.

    With attributes, a column switches one of them, and leaves the others as the image has them. Then there is
    no distance, because an image belongs to many sets.
    """
    config = model.config
    assert isinstance(config, MultiDomainModelConfig)
    columns: dict[str, list[Pixels]] = defaultdict(list)
    errors: list[float] = []
    for x, own in _images(data, SHEET_IMAGES, precision):
        columns["input"].append(_to_rgb(x))
        for number, name in enumerate(config.domains):
            target = _target(own, number, config)
            y = _translate(model, x, target, precision)
            columns[name if config.exclusive else f"{name} switched"].append(_to_rgb(y))
            if not target.equal(own):
                errors.append(l1(_translate(model, y, own, precision), x))
    scores, notes = {"val_rec": sum(errors) / len(errors)}, list[str]()
    if config.exclusive:
        distances, notes = score_translations(_translations(model, data, precision), model, data, precision)
        scores |= distances
    return ValidationResult(contact_sheet(columns, side=SHEET_SIDE), scores, notes)


def _translations(model: Model, data: TaskData, precision: Precision) -> list[Translations]:
    """Translate validation images to every domain but their own."""
    config = model.config
    inputs: dict[str, list[Pixels]] = defaultdict(list)
    outputs: dict[str, list[Pixels]] = defaultdict(list)
    for x, own in _images(data, SCORED_IMAGES, precision):
        for number, name in enumerate(config.domains):
            if own[0, number] == 0:
                inputs[name].append(_to_rgb(x))
                y = _translate(model, x, _target(own, number, config), precision)
                outputs[name].append(_to_rgb(y))
    return [Translations(name, name, inputs[name], outputs[name]) for name in config.domains if inputs[name]]


def _images(data: TaskData, count: int, precision: Precision) -> Iterator[Image]:
    """Yield the first images of the validation set."""
    for index in range(min(count, len(data.validation))):
        sample = data.validation[SampleKey(0, index)]
        x = to_tensor(sample["photo"][None]).to(precision.device)
        yield x, sample["label"][None].to(precision.device, x.dtype)


def _translate(model: Model, x: Tensor, target: Tensor, precision: Precision) -> Tensor:
    with precision.autocast():
        y: Tensor = model.generator(model.config.domains[0])(x, target)
    return y


def _to_rgb(x: Tensor) -> Pixels:
    return to_pixels(x[0].expand(3, -1, -1))


def _target(own: Tensor, number: int, config: ModelConfig) -> Tensor:
    """Return the label of a domain; or the label of an image with one attribute switched."""
    one = torch.zeros_like(own)
    one[:, number] = 1
    assert isinstance(config, MultiDomainModelConfig)
    return one if config.exclusive else (own - one).abs()


TASK = Task(
    trainer=StarGAN,
    data=_data,
    validate=validate,
    model=_model,
    best=BEST_KERNEL,
    prepare=prepare_references,
)
