"""The task of StarGAN: a dataset of several domains, or of attributes, and validation in every domain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from translate.methods.stargan.config import StarGANConfig
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
    names = [name.strip() for name in c.attributes.split(",")] if c.attributes is not None else None
    images = find_multidomain(c.data, c.labels, names, cache_size=c.cache_size)
    if c.domains not in (None, len(images.domains)):
        raise UsageError(
            f"domains {c.domains} differs from the {len(images.domains)} of the dataset: leave --domains out"
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

    def dataset(files: Sequence[ImageSource], **options: Any) -> MultiDomainDataset:
        return MultiDomainDataset(
            files, images.labels, c, channels=channels, ranges=values.by_file, **options
        )

    return TaskData(
        train=dataset(images.train, training=True, cache=cache),
        validation=dataset(images.validation or images.train, training=False),
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
        domains=_domain_images(images, c, values.by_file) if images.exclusive else {},
    )


def _domain_images(
    images: MultiDomainImages, c: StarGANConfig, ranges: Mapping[ImageSource, Any]
) -> dict[str, DomainImages]:
    """Return the images of each domain without augmentation."""

    def photos(files: list[ImageSource], name: str) -> PhotoDataset:
        return PhotoDataset(images.with_label(files, name), c, training=False, ranges=ranges)

    return {
        name: DomainImages(photos(images.train, name), photos(images.validation, name))
        for name in images.domains
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
    """Show each validation image in every domain, and score the reconstruction and the distance to a domain.

    With attributes, a column switches one of them, and leaves the others as the image has them.
    """
    config = model.config
    assert isinstance(config, MultiDomainModelConfig)
    count = min(SCORED_IMAGES if config.exclusive else SHEET_IMAGES, len(data.validation))
    sheet: dict[str, list[Pixels]] = defaultdict(list)
    errors: list[float] = []
    inputs: dict[str, list[Pixels]] = {name: [] for name in config.domains}
    outputs: dict[str, list[Pixels]] = {name: [] for name in config.domains}
    for index in range(count):
        sample = data.validation[SampleKey(0, index)]
        x = to_tensor(sample["photo"][None]).to(precision.device)
        own = sample["label"][None].to(precision.device, x.dtype)
        image = to_pixels(x[0].expand(3, -1, -1))
        if index < SHEET_IMAGES:
            sheet["input"].append(image)
        for number, name in enumerate(config.domains):
            target = _target(own, number, config)
            with precision.autocast():
                y = model.generator(name)(x, target)
            translated = to_pixels(y[0].expand(3, -1, -1))
            if index < SHEET_IMAGES:
                sheet[name if config.exclusive else f"{name} switched"].append(translated)
            if own[0, number] == 0:
                inputs[name].append(image)
                outputs[name].append(translated)
            if index < SHEET_IMAGES and not target.equal(own):
                with precision.autocast():
                    errors.append(l1(model.generator(name)(y, own), x))
    scores = {"val_rec": sum(errors) / len(errors)}
    notes: list[str] = []
    if config.exclusive:
        pairs = [
            Translations(name, name, inputs[name], outputs[name]) for name in config.domains if inputs[name]
        ]
        more, notes = score_translations(pairs, model, data, precision)
        scores |= more
    return ValidationResult(contact_sheet(sheet, side=SHEET_SIDE), scores, notes)


def _target(own: Tensor, number: int, config: ModelConfig) -> Tensor:
    """Return the label of a domain; or the label of an image with one attribute switched."""
    one = torch.zeros_like(own)
    one[:, number] = 1
    assert isinstance(config, MultiDomainModelConfig)
    return one if config.exclusive else (own - one).abs()


TASK = Task(trainer=StarGAN, data=_data, validate=validate, model=_model, best=BEST_KERNEL)
